"""What is sent: the mapped receipt, and the files that carry receipts during an outage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.customer import Contact, Identifier
from tillpost.model.typed import Typed, settle_types


@attrs.frozen(kw_only=True)
class Payload(Typed):
    """A receipt in the destination's format.

    receipt_id: the idempotency key, the same on every attempt and route.
    match: the identifier of the contact: `contactId` by API, another kind in a file.
    fields: the body, of str, int, Decimal, bool, lists and mappings, in the order of the contract.
    """

    receipt_id: str
    match: Identifier
    fields: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class FallbackBatch(Typed):
    """The contacts and receipts that are written to files together, contacts first.

    receipts: as `map` and `amend` made them, each with the match for a file.
    created: contacts the destination has never confirmed. updated: contacts it has, with changed attributes.
    stamp: the time in file names, local, with its offset. sequence: a number no earlier batch of this journal has.
    folder: where finished files go: fsynced, then renamed into it one by one.
    """

    created: tuple[Contact, ...]
    updated: tuple[Contact, ...]
    receipts: tuple[Payload, ...]
    stamp: datetime
    sequence: int
    folder: Path


@attrs.frozen(kw_only=True)
class FallbackFile(Typed):
    """A file of an outage.

    name: without separator and control character. kind: `contacts` or `receipts`. sha256: of its content, in
    hexadecimal digits. size: in bytes. keys: contact keys or receipt ids, in file order. path: where it is.
    """

    name: str
    kind: str
    sha256: str
    size: int
    keys: tuple[str, ...]
    path: Path

    def __attrs_post_init__(self) -> None:
        settle_types(self)
        # A transfer appends it to a folder of the server: it must not leave that folder or end a command.
        if self.name in ("", ".", "..") or any(c in "/\\" or c < " " or c == "\x7f" for c in self.name):
            raise InvalidValue(f"the name {self.name!r} is empty or has a separator or control character", place="file")


@attrs.frozen(kw_only=True)
class NotWritten(Typed):
    """A receipt or contact that cannot be written to a file. It is held.

    key: the contact's key or the receipt's id. reason: why, without personal data.
    """

    key: str
    reason: str


@attrs.frozen(kw_only=True)
class WrittenFiles(Typed):
    """What a fallback wrote for a batch.

    files: in the order in which they must be transferred. refused: what is in none of them.
    """

    files: tuple[FallbackFile, ...]
    refused: tuple[NotWritten, ...] = ()

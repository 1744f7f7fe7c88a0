"""What is sent: the mapped receipt, and the files written in its stead during an outage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.customer import Contact, Identifier


@attrs.frozen(kw_only=True)
class Payload:
    """A receipt in the destination's own shape.

    receipt_id: the idempotency key, the same on every attempt and route.
    match: the identifier that ties it to the contact; `contactId` by API, another key in a file.
    fields: the body: str, int, Decimal, bool, lists and mappings, in the order of the contract.
    """

    receipt_id: str
    match: Identifier
    fields: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class FallbackBatch:
    """What goes into files in one go: contacts first, then receipts.

    created: contacts the destination has never confirmed; updated: contacts known there with changed attributes.
    stamp: the time for file names, local and aware; sequence: a number no earlier batch of this journal had.
    folder: where final files go, by one rename each, after fsync.
    """

    created: tuple[Contact, ...]
    updated: tuple[Contact, ...]
    receipts: tuple[Payload, ...]
    stamp: datetime
    sequence: int
    folder: Path


def _one_name(_: object, __: object, name: str) -> None:
    # Transfers put it behind a folder of the destination: nothing in it may lead elsewhere or end a command.
    if name in ("", ".", "..") or any(c in "/\\" or c < " " or c == "\x7f" for c in name):
        raise InvalidValue(f"the name {name!r} is empty or has a separator or control character", place="file")


@attrs.frozen(kw_only=True)
class FallbackFile:
    """A file of the outage. kind: `contacts` or `receipts`; keys: contact keys or receipt ids, in file order."""

    name: str = attrs.field(validator=_one_name)
    kind: str
    sha256: str
    size: int
    keys: tuple[str, ...]
    path: Path


@attrs.frozen(kw_only=True)
class NotWritten:
    """A receipt or contact no file can carry (no usable match key), with the reason; it is held."""

    key: str
    reason: str


@attrs.frozen(kw_only=True)
class WrittenFiles:
    """What a fallback made of a batch: files in the order in which they must be transferred."""

    files: tuple[FallbackFile, ...]
    refused: tuple[NotWritten, ...] = ()

"""A document that a source receives, and the records an adapter reads from it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import IO, Any

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.receipt import Receipt
from tillpost.model.typed import Typed, check_storable, label, printable

_BUFFER = 1 << 17
"""Bytes of one read: few calls, and the progress is still shown in fine steps."""


@attrs.define
class ReadProgress:
    """How far a document has been read, in bytes. It starts again when the document is opened again."""

    position: int = 0
    size: int = 0

    def percent(self) -> int:
        """How much of the document has been read, from 0 to 100."""
        return min(100, 100 * self.position // self.size) if self.size else 100


class _ProgressFile(io.FileIO):
    """A file that updates a ReadProgress at every read."""

    def __init__(self, path: Path, progress: ReadProgress) -> None:
        super().__init__(path)
        self._progress = progress

    def readinto(self, buffer: Any, /) -> int | None:
        count = super().readinto(buffer)
        self._progress.position = self.tell()
        return count


@attrs.frozen(kw_only=True)
class Document(Typed):
    """One export of a POS: a file, or a body received. Exactly one of `path` and `content` is set.

    name: shown to people; a source gives each of its documents another. sha256: of the content, in hexadecimal digits.
    path: the file. content: the body. `from_path` and `from_bytes` make one with its digest.
    key: the idempotency key its sender gave, "" for none. The same key with the same content again gets the answer
    it got before; the answer is stored in the commit that accepts the document's last record.
    cursor: the source's place after this document, stored in the same commit; None where the source has none.
    keep: its source lets go of it even when it cannot be read, so the journal keeps its content, whatever its size.
    progress: how far it has been read; the core shows it.
    """

    name: str
    sha256: str
    path: Path | None = None
    content: bytes | None = attrs.field(default=None, repr=False)
    key: str = ""
    cursor: str | None = attrs.field(default=None, repr=False)
    keep: bool = False
    progress: ReadProgress = attrs.field(factory=ReadProgress, eq=False, repr=False)

    _told = ("name",)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_storable(self.key, "key", self._place())
        check_storable(self.cursor or "", "cursor", self._place())
        if (self.path is None) == (self.content is None):
            raise InvalidValue("exactly one of path and content must be given", place=self._place())

    def _place(self) -> str:
        return f"document {label(self.name)}"

    @classmethod
    def from_bytes(cls, name: str, content: bytes, key: str = "") -> Document:
        """A document in memory. Raises InvalidValue where the content is no bytes."""
        if not isinstance(content, bytes):
            cls(name=name, sha256="", content=content)  # says what is wrong with it
        return cls(name=name, sha256=hashlib.sha256(content).hexdigest(), content=content, key=key)

    @classmethod
    def from_path(cls, path: Path) -> Document:
        """A document in a file. The file is read twice: here for its hash, and by the adapter."""
        path = Path(path)
        with path.open("rb") as file:
            return cls(name=printable(path.name), sha256=hashlib.file_digest(file, "sha256").hexdigest(), path=path)

    def open(self) -> IO[bytes]:
        """Open the content at its first byte. The caller closes it. Raises OSError."""
        if self.path is not None:
            self.progress.size = self.path.stat().st_size
            return io.BufferedReader(_ProgressFile(self.path, self.progress), _BUFFER)
        return io.BytesIO(self.content or b"")


@attrs.frozen(kw_only=True)
class DocumentTrouble(Typed):
    """What a source says of a document that it cannot hand over or put away, or that it has set aside.

    name: as in `Document.name`. reason: a sentence, without a Python name. place: where it lies. sha256: of its
    content, where that could be read. retry_at: when the source tries again, in seconds since 1970; None for one that
    was set aside, whose `sha256` says which.
    """

    name: str
    reason: str
    place: str = ""
    sha256: str = ""
    retry_at: float | None = None

    _told = ("name", "reason", "place")


@attrs.frozen(kw_only=True)
class Found(Typed):
    """A receipt the adapter read, with the vendor's record of it as bytes (the journal keeps them unchanged).

    receipt: as it is sent. raw: the record, a document that the same adapter can read again.
    former_ids: ids under which an earlier version of the adapter read the same record. A receipt that is in the journal
    under one of them is not accepted a second time; one that `keep` may have removed from it is held.
    """

    receipt: Receipt
    raw: bytes = attrs.field(repr=False)
    former_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class NoReceipt(Typed):
    """A record that is not sent as a receipt, with the reason. It is counted.

    reason: a phrase without personal data, by which records are counted. place: where the record is ("line 120").
    retail: True for a sale that was started and is not sent (voided, suspended, training, copy), False for what never
    was a sale (sign-on, no-sale, day totals). number: the printed number. store, till, date: who issued it, and on
    which business date (YYYY-MM-DD), as far as the record says: a number that is known to belong to no sale is no gap.
    voids: the id of the receipt that the record takes back, its own sale or another one; "" for none. final: a receipt
    of that id that comes later is void, too; not where a till may use the number of a voided sale again.
    """

    reason: str
    place: str
    retail: bool
    number: str = ""
    store: str = ""
    till: str = ""
    date: str = ""
    voids: str = ""
    final: bool = False

    _told = ("reason", "place", "number", "store", "till", "date", "voids")


@attrs.frozen(kw_only=True)
class Broken(Typed):
    """A record that should be a receipt and cannot be read. It is held with its reason; the other records go on.

    reason: what is wrong with which value, without personal data. place: where the record is ("line 120").
    raw: the record's bytes, a document that the same adapter can read again after its settings are fixed.
    number, store: for people who look for it, as far as the record has them.
    """

    reason: str
    place: str
    raw: bytes = attrs.field(repr=False)
    number: str = ""
    store: str = ""

    _told = ("reason", "place", "number", "store")


Parsed = Found | NoReceipt | Broken

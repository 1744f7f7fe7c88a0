"""What a source hands over, and what an adapter finds in it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import IO, Any

import attrs

from tillpost.model.receipt import Receipt

_BUFFER = 1 << 17
"""Bytes read at once: few calls, and still a fine measure of how far a document has been read."""


@attrs.define
class Reading:
    """How far a document has been read, in bytes; an adapter that reads it twice begins anew."""

    at: int = 0
    size: int = 0

    def percent(self) -> int:
        """Of the whole, from 0 to 100."""
        return min(100, 100 * self.at // self.size) if self.size else 100


class _Counted(io.FileIO):
    """A file that notes how far it has been read."""

    def __init__(self, path: Path, reading: Reading) -> None:
        super().__init__(path)
        self._reading = reading

    def readinto(self, buffer: Any, /) -> int | None:
        count = super().readinto(buffer)
        self._reading.at = self.tell()
        return count


@attrs.frozen(kw_only=True)
class Document:
    """One export of a POS: a file, or a body received. Exactly one of `path` and `content` is set.

    key: the name its sender gave to handing it over, "" for none. The same key with the same content again gives
    what it gave before; what was accepted whole is remembered with it, in the same commit.
    """

    name: str
    sha256: str
    path: Path | None = None
    content: bytes | None = attrs.field(default=None, repr=False)
    key: str = ""
    reading: Reading = attrs.field(factory=Reading, eq=False, repr=False)

    @classmethod
    def from_bytes(cls, name: str, content: bytes, key: str = "") -> Document:
        """A document held in memory."""
        return cls(name=name, sha256=hashlib.sha256(content).hexdigest(), content=content, key=key)

    @classmethod
    def from_path(cls, path: Path) -> Document:
        """A document in a file, which is read in pieces for its hash and again by the adapter."""
        with path.open("rb") as file:
            return cls(name=path.name, sha256=hashlib.file_digest(file, "sha256").hexdigest(), path=path)

    def open(self) -> IO[bytes]:
        """The bytes, from the start; the caller closes it."""
        if self.path is not None:
            self.reading.size = self.path.stat().st_size
            return io.BufferedReader(_Counted(self.path, self.reading), _BUFFER)
        return io.BytesIO(self.content or b"")


@attrs.frozen(kw_only=True)
class Found:
    """A receipt the adapter read, with the vendor's own record of it (kept in the journal as it came)."""

    receipt: Receipt
    raw: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class NoReceipt:
    """A record that is no sale, and why; it is counted, never left out in silence.

    retail: False for what was never a sale (sign-on, no-sale, day totals), True for one that was begun and is
    none (voided, suspended, training, copy). store, till, date: whose number it is and of which business date
    (YYYY-MM-DD), as far as the record tells: a number that is known to be none of a sale is no gap.
    """

    reason: str
    place: str
    retail: bool
    number: str = ""
    store: str = ""
    till: str = ""
    date: str = ""


@attrs.frozen(kw_only=True)
class Broken:
    """A record that should be a receipt and cannot be read as one: it is held with its reason; the others go on.

    place: where it stands ("line 120"); raw: the record as it came, a document of its own that the same
    adapter can read again after a fix of its settings.
    """

    reason: str
    place: str
    raw: bytes = attrs.field(repr=False)
    number: str = ""
    store: str = ""


Parsed = Found | NoReceipt | Broken

"""A document that was compressed by gzip, as the one that is in it."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, Any

import attrs

from tillpost.errors import DocumentError
from tillpost.model.document import Document

_GZIP = b"\x1f\x8b\x08"


def unpacked(document: Document) -> Document:
    """The document; of a gzip file the one inside, which is unpacked while it is read.

    Reading raises DocumentError where the gzip file is cut or damaged.
    """
    with document.open() as file:
        packed = file.read(len(_GZIP)) == _GZIP
    return _Packed(**attrs.asdict(document, recurse=False)) if packed else document


@attrs.frozen(kw_only=True)
class _Packed(Document):
    def open(self) -> IO[bytes]:
        return io.BufferedReader(_Unpacking(super().open(), self.name), 1 << 17)


class _Unpacking(io.RawIOBase):
    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._unpacked = gzip.GzipFile(fileobj=file)
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._unpacked.seek(offset, whence)

    def tell(self) -> int:
        return self._unpacked.tell()

    def readinto(self, buffer: Any, /) -> int:
        try:
            return self._unpacked.readinto(buffer)
        except (OSError, EOFError, zlib.error):
            at = f"after {self._unpacked.tell()} bytes of what is in it"
            raise DocumentError(f"is a gzip file that is cut or damaged {at}", self._name) from None

    def close(self) -> None:
        self._file.close()
        super().close()

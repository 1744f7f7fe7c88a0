"""A document as text an XML parser takes: decoded, and without characters that XML 1.0 forbids.

Tills write control characters into names, and latin-1 without saying so. Each forbidden character, as itself or
as a reference such as `&#11;`, becomes U+FFFD, so that the transaction that had it can be flagged.
Source of the set: XML 1.0 (fifth edition), section 2.2.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import attrs

from tillpost import DocumentError
from tillpost.kit.text import CLEANED
from tillpost.model import Document

MARK = "\ufffd"
"""Stands where the document had a character XML 1.0 forbids, or bytes its encoding does not have."""
GUESSED = "encoding-guessed"
"""The flag of receipts of a document that neither says its encoding nor is UTF-8."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_DOUBTFUL = (b"\xed", b"\xef\xbf")
"""How surrogates, U+FFFE and U+FFFF begin in UTF-8; other characters do, too."""
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,9}));")
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"']")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNMARKED = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_CHUNK = 64 * 1024
_LONGEST_REFERENCE = 16


@attrs.frozen
class Encoding:
    """The codec, and whether it is a guess: the document neither says nor is UTF-8."""

    codec: str
    guessed: bool = False


def detect(document: Document) -> Encoding:
    """By mark, by declaration, UTF-8 when all of it decodes so, else windows-1252 (what "latin-1" of a till is).

    Raises DocumentError for a declared encoding this machine does not know.
    """
    with document.open() as file:
        start = file.read(1024)
        for mark, codec in (*_BOMS, *_UNMARKED):
            if start.startswith(mark):
                return Encoding(codec)
        declared = _DECLARED.match(start)
        if declared:
            name = declared[1].decode("ascii")
            try:
                return Encoding(codecs.lookup(name).name)
            except LookupError:
                raise DocumentError(f"declares the unknown encoding {name!r}", document.name) from None
        decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        try:
            decoder.decode(start)
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return Encoding("cp1252", guessed=True)
    return Encoding("utf-8")


def flags(encoding: Encoding, raw: bytes) -> tuple[str, ...]:
    """What a receipt read out of this record (UTF-8) is flagged with."""
    return (GUESSED,) * encoding.guessed + (CLEANED,) * (MARK.encode() in raw)


def _allowed(match: re.Match[str]) -> str:
    code = int(match[1], 16) if match[1] else int(match[2])
    return match[0] if code <= 0x10FFFF and not _FORBIDDEN.match(chr(code)) else MARK


def chunks(document: Document, encoding: Encoding) -> Iterator[bytes]:
    """The document as clean UTF-8, in pieces; line ends stay where they are."""
    decoder = codecs.getincrementaldecoder(encoding.codec)("replace")
    held = ""
    with document.open() as file:
        while True:
            read = file.read(_CHUNK)
            piece = held + decoder.decode(read, final=not read)
            held = ""
            if read:
                # A reference may go on in the next piece.
                start = piece.rfind("&", max(0, len(piece) - _LONGEST_REFERENCE))
                if start >= 0 and ";" not in piece[start:]:
                    piece, held = piece[:start], piece[start:]
            if piece:
                yield _cleaned(piece)
            if not read:
                return


def _cleaned(piece: str) -> bytes:
    # Looked for in bytes, where that costs next to nothing: nearly no piece has a forbidden character.
    written = piece.encode("utf-8", "surrogatepass")
    unharmed = len(written.translate(None, _CONTROLS)) == len(written) and not any(
        each in written for each in _DOUBTFUL
    )
    if unharmed and b"&#" not in written:
        return written
    return _REFERENCE.sub(_allowed, _FORBIDDEN.sub(MARK, piece)).encode()

"""A document as UTF-8 that an XML parser accepts: decoded, without characters that XML 1.0 forbids.

Tills write control characters into names, and windows-1252 without declaring it. Each forbidden character, as itself
or as a reference such as `&#11;`, becomes U+FFFD, by which the record that had it is found and flagged.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import attrs

from tillpost import DocumentError
from tillpost.kit.text import CONTROL_CHARACTERS, FORBIDDEN
from tillpost.model import Document

REPLACEMENT = "\ufffd"
"""U+FFFD: replaces a character XML 1.0 forbids, and bytes that are not in the document's encoding."""
ENCODING_GUESSED = "encoding-guessed"
"""The flag of receipts of a document that neither declares its encoding nor is UTF-8."""

_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_SUSPECT = (b"\xed", b"\xef\xbf")
"""The first bytes of surrogates, U+FFFE and U+FFFF in UTF-8; of other characters, too."""
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,9}));")
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"']")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNMARKED = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_CHUNK = 64 * 1024
_LONGEST_REFERENCE = 16


@attrs.frozen
class Encoding:
    """The codec's name in Python, and whether it is a guess: the document declares none and is not UTF-8."""

    codec: str
    guessed: bool = False


def detect_encoding(document: Document) -> Encoding:
    """The encoding by byte order mark, by declaration, by whether all of it is UTF-8; else a guess, windows-1252.

    Without mark and declaration this reads the whole document once. Raises DocumentError for an unknown encoding.
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


def record_flags(encoding: Encoding, raw: bytes) -> tuple[str, ...]:
    """The flags of a receipt read from this record (UTF-8): encoding guessed, control characters removed."""
    return (ENCODING_GUESSED,) * encoding.guessed + (CONTROL_CHARACTERS,) * (REPLACEMENT.encode() in raw)


def _allowed(match: re.Match[str]) -> str:
    code = int(match[1], 16) if match[1] else int(match[2])
    return match[0] if code <= 0x10FFFF and not FORBIDDEN.match(chr(code)) else REPLACEMENT


def clean_chunks(document: Document, encoding: Encoding) -> Iterator[bytes]:
    """The document as clean UTF-8 in pieces of about 64 KiB; line ends stay where they are."""
    decoder = codecs.getincrementaldecoder(encoding.codec)("replace")
    unfinished = ""
    with document.open() as file:
        while True:
            chunk = file.read(_CHUNK)
            piece = unfinished + decoder.decode(chunk, final=not chunk)
            unfinished = ""
            if chunk:
                # A reference may go on in the next piece.
                start = piece.rfind("&", max(0, len(piece) - _LONGEST_REFERENCE))
                if start >= 0 and ";" not in piece[start:]:
                    piece, unfinished = piece[:start], piece[start:]
            if piece:
                yield _cleaned(piece)
            if not chunk:
                return


def _cleaned(piece: str) -> bytes:
    # Searched as bytes, which costs next to nothing: nearly no piece has a forbidden character.
    encoded = piece.encode("utf-8", "surrogatepass")
    clean = len(encoded.translate(None, _CONTROLS)) == len(encoded) and not any(start in encoded for start in _SUSPECT)
    if clean and b"&#" not in encoded:
        return encoded
    return _REFERENCE.sub(_allowed, FORBIDDEN.sub(REPLACEMENT, piece)).encode()

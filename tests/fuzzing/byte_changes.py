"""Documents changed as bytes: cut, spliced, turned over, in another encoding."""

from __future__ import annotations

import gzip
import random

PIECES = (
    b"\x00", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r", b'"', b"'", b"<", b">", b"</", b"<!--", b"-->",
    b"<![CDATA[", b"]]>",
    b"<?x", b"&", b"&#0;", b"&x;", b"{", b"}", b"[", b"]", b",", b":", b"\\u0000",
    b"\\ud800", b"\\", b"1e1000000", b"-", b"\xc3", b"\xe2\x80\x8b",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"\x1b[2J", b"PK\x03\x04", b"\x1f\x8b",
)  # fmt: skip


def change(content: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """The document with one change."""
    kind = chance.randrange(10)
    at = chance.randrange(len(content) + 1)
    end = min(len(content), at + chance.choice((1, 1, 2, 8, 64, 1024)))
    if kind == 0:
        return content[:at] + content[end:]
    if kind == 1:
        return content[:at] + chance.choice(PIECES) + content[at:]
    if kind == 2:
        return content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
    if kind == 3:
        return content[:at]
    if kind == 4:
        return content[:at] + content[at:end] * chance.choice((2, 3, 50)) + content[end:]
    if kind == 5 and others:
        other = chance.choice(others)
        return content[:at] + other[chance.randrange(len(other) + 1) :]
    if kind == 6:
        return content.decode("utf-8", "replace").encode(
            chance.choice(("utf-16", "latin-1", "utf-16-le", "cp1252")), "replace"
        )
    if kind == 7:
        return gzip.compress(content, 1, mtime=0) if len(content) < 20_000 else content[:at]
    if kind == 8:
        return content + content
    return content[:at] + chance.choice(PIECES) + content[end:]

"""The body of a request: which types are accepted, and unpacking within the limit."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from tillpost_ingest.problem import Problem

_TAKEN = re.compile(
    r"text/[a-z0-9.+-]+"
    r"|application/(?:[a-z0-9.-]+\+)?(?:json|xml)"
    r"|application/(?:(?:x-)?ndjson|jsonl|json-lines|(?:x-)?jsonlines|json-seq|csv|octet-stream)",
    re.ASCII | re.IGNORECASE,
)
"""Media types an adapter may read. The adapter checks the content; this refuses forms, pages and pictures."""


def check_type(headers: Mapping[str, str]) -> bool:
    """Whether the body is packed by gzip. Raises Problem for a type no adapter reads; no Content-Type is accepted."""
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if kind and not _TAKEN.fullmatch(kind):
        raise Problem(
            415,
            "unsupported-type",
            "send JSON, XML, CSV or other text, or application/octet-stream, with its Content-Type",
            {"Accept": "application/json, application/xml, text/*, application/octet-stream"},
            close=True,
        )
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", ""):
        raise Problem(
            415, "unsupported-encoding", "send it unpacked, or by gzip", {"Accept-Encoding": "gzip"}, close=True
        )
    return coding in ("gzip", "x-gzip")


def unpack(packed: bytes, largest: int) -> bytes:
    """Unpack a gzip file (of one or several members, RFC 1952) of at most `largest` bytes. Raises Problem."""
    parts: list[bytes] = []
    left, rest = largest, packed
    while rest:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error:
            raise Problem(400, "bad-gzip", "the body is not a complete gzip file") from None
        left -= len(part)
        if left < 0:
            raise too_large(largest, close=False)
        if not member.eof:
            raise Problem(400, "bad-gzip", "the body is not a complete gzip file")
        parts.append(part)
        rest = member.unused_data
    return b"".join(parts)


def too_large(largest: int, close: bool = True) -> Problem:
    """The problem of a body that is too large."""
    return Problem(413, "too-large", f"a body may have at most {largest} bytes; send it in parts", close=close)

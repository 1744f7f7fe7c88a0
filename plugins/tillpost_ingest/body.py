"""A body: which are taken, and how one that is packed is unpacked within its bound."""

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
"""Families an adapter may read. It judges the content itself; this keeps out forms, uploads of pages and pictures."""


def check_type(headers: Mapping[str, str]) -> bool:
    """Refuse what no adapter reads; whether the body is packed by gzip. No Content-Type: the adapter judges."""
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
            415, "unsupported-encoding", "send it as it is, or by gzip", {"Accept-Encoding": "gzip"}, close=True
        )
    return coding in ("gzip", "x-gzip")


def unpack(packed: bytes, largest: int) -> bytes:
    """A gzip file (of one member or several, RFC 1952) of at most so many bytes."""
    parts: list[bytes] = []
    left, rest = largest, packed
    while rest:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error:
            raise Problem(400, "bad-gzip", "the body is no whole gzip file") from None
        left -= len(part)
        if left < 0:
            raise too_large(largest, close=False)
        if not member.eof:
            raise Problem(400, "bad-gzip", "the body is no whole gzip file")
        parts.append(part)
        rest = member.unused_data
    return b"".join(parts)


def too_large(largest: int, close: bool = True) -> Problem:
    """Of a body with more bytes than are taken."""
    return Problem(413, "too-large", f"a body has at most {largest} bytes here; send it in parts", None, close)

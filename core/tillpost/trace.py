"""The trace of a receipt (W3C Trace Context, level 1). Its id is a hash of the receipt's id, so nothing is stored.

A receipt that is sent again keeps its trace, also from another process. Each request is a span of its own.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_current = threading.local()


def trace_id(receipt_id: str) -> str:
    """The trace id of a receipt: 32 hexadecimal digits."""
    return hashlib.sha256(receipt_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def traceparent() -> str:
    """The header `traceparent` for a request about the receipt this thread works on; "" when it works on none.

    Each call gives a new span. It is marked as sampled: the journal records the events of every receipt.
    """
    receipt = current_work()[1]
    return f"00-{trace_id(receipt)}-{secrets.token_hex(8)}-01" if receipt else ""


def current_work() -> tuple[str, str]:
    """The pipeline and the receipt id this thread works on; "" where it works on none."""
    return getattr(_current, "pipeline", ""), getattr(_current, "receipt", "")


@contextmanager
def working_on(pipeline: str, receipt: str = "") -> Iterator[None]:
    """Inside the block this thread works on a pipeline, or on one receipt of it.

    Kept by thread instead of passed along: plugins make the requests, and log lines come from anywhere.
    """
    previous = current_work()
    _current.pipeline, _current.receipt = pipeline, receipt
    try:
        yield
    finally:
        _current.pipeline, _current.receipt = previous

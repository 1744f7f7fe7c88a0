"""The trace of a receipt (W3C Trace Context, level 1): its id follows from the receipt's id, so nothing is stored.

A receipt that is sent again, from another process or another year, keeps its trace; each request is a span of its own.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_hand = threading.local()


def trace_id(receipt_id: str) -> str:
    """The trace id of a receipt: 32 hexadecimal digits."""
    return hashlib.sha256(receipt_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def traceparent() -> str:
    """The header `traceparent` for a request of the receipt this thread works on; "" when it works on none.

    A new span for each request; sampled, for the journal has the events of every receipt.
    """
    receipt = at_hand()[1]
    return f"00-{trace_id(receipt)}-{secrets.token_hex(8)}-01" if receipt else ""


def at_hand() -> tuple[str, str]:
    """The pipeline and the receipt id this thread works on; "" for what it does not."""
    return getattr(_hand, "pipeline", ""), getattr(_hand, "receipt", "")


@contextmanager
def working(pipeline: str, receipt: str = "") -> Iterator[None]:
    """This thread works on a pipeline, or on one receipt of it, inside the block.

    By thread and not an argument of each call: plugins make the requests, and the lines of a log come from anywhere.
    """
    before = at_hand()
    _hand.pipeline, _hand.receipt = pipeline, receipt
    try:
        yield
    finally:
        _hand.pipeline, _hand.receipt = before

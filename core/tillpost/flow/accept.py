"""Accept: a document becomes rows of the journal. What this returns for is on the disk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import islice

import attrs

from tillpost.errors import DocumentError
from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document, Found, Parsed

GROUP = 100
"""Records a commit: 41,000 rows/s at 10, 75,000 at 100, 79,000 at 1,000 (measured; decisions/0003-journal.md)."""

CLOCK_OFF = "clock-off"
"""Flag of a receipt whose time cannot be right: the till's clock is wrong. It is sent as printed all the same."""
_AHEAD = 3600.0
"""Seconds a receipt's time may lie ahead of this machine's clock; two clocks in step differ by far less."""
_TRADING = timedelta(days=1)
"""A business date and the time of a sale differ by a day at most: a shop that is open past midnight."""


def accept(line: Line, document: Document, told: Callable[[Accepted], None] = lambda counts: None) -> Accepted:
    """Parse a document and commit its records in groups, in order.

    told: called after each commit with what has come of the document so far; it may raise Stopped. A document that was
    not read to its end is handed over again as a whole: what is in the journal already counts as duplicate.

    Raises DocumentError when the document as a whole cannot be read (what came before the fault stays
    accepted), JournalError when the journal cannot promise anything: then the source keeps its copy.
    """
    counts = Accepted()
    records = iter(line.hooks.parse_receipts(document))
    fault: DocumentError | None = None
    while fault is None:
        group: list[Parsed] = []
        try:
            group.extend(islice(records, GROUP))
        except DocumentError as error:
            fault = error  # after what stood before it in this group
        last = fault is None and len(group) < GROUP
        if not group and not (last and document.key):
            break
        now = line.clock.time()
        flagged = [_told_by_clocks(record, now) for record in group]
        line.journal.receipts.accept(flagged, document, line.anonymous, now, counts, last)
        told(counts)
        if last:
            break
    if fault is not None:
        fault.counts = counts.counted()
        raise fault
    return counts


def _told_by_clocks(record: Parsed, now: float) -> Parsed:
    if not isinstance(record, Found) or CLOCK_OFF in record.receipt.flags:
        return record
    receipt = record.receipt
    apart = abs(receipt.created.date() - receipt.business_date)
    if receipt.created.timestamp() - now <= _AHEAD and apart <= _TRADING:
        return record
    return attrs.evolve(record, receipt=attrs.evolve(receipt, flags=(*receipt.flags, CLOCK_OFF)))

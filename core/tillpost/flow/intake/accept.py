"""Accept: a document becomes rows of the journal. What this returns for is on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice

import attrs

from tillpost.errors import DocumentError, JournalError
from tillpost.flow.line import Line
from tillpost.journal import Accepted, Group
from tillpost.model import Document, Found, Parsed

GROUP = 100
"""Records a commit: 41,000 rows/s at 10, 75,000 at 100, 79,000 at 1,000 (measured; decisions/0003-journal.md)."""

CLOCK_OFF = "clock-off"
"""Flag of a receipt whose time cannot be right: the till's clock is wrong. It is sent as printed all the same."""
_AHEAD = 3600.0
"""Seconds a receipt's time may lie ahead of this machine's clock; two clocks in step differ by far less."""
_TRADING = timedelta(days=1)
"""A business date and the time of a sale differ by a day at most: a shop that is open past midnight."""


class StartedDocument:
    """A document being read: its records in groups, in order, and what has come of those that are committed."""

    def __init__(self, line: Line, document: Document) -> None:
        self.document = document
        self.counts = Accepted()
        self._line = line
        self._records = iter(line.hooks.parse_receipts(document))
        self._fault: DocumentError | None = None
        self._ended = False

    def read(self, now: float) -> Group | None:
        """The next group to commit; None at the end. Raises DocumentError when the document cannot be read on."""
        if self._ended:
            if self._fault is not None:
                self._fault.counts = self.counts.counted()
                raise self._fault
            return None
        records: list[Parsed] = []
        try:
            records.extend(islice(self._records, GROUP))
        except DocumentError as error:
            self._fault = error  # after what stood before it in this group
        self._ended = len(records) < GROUP
        last = self._ended and self._fault is None
        if not records and not (last and self.document.key):
            return self.read(now)
        flagged = [_told_by_clocks(record, now) for record in records]
        return Group(parsed=flagged, document=self.document, counts=self.counts, last=last)


def accept(line: Line, document: Document, told: Callable[[Accepted], None] = lambda counts: None) -> Accepted:
    """Parse a document and commit its records in groups, in order.

    told: called after each commit with what has come of the document so far; it may raise Stopped. A document that was
    not read to its end is handed over again as a whole: what is in the journal already counts as duplicate.

    Raises DocumentError when the document as a whole cannot be read (what came before the fault stays
    accepted), JournalError when the journal cannot promise anything: then the source keeps its copy.
    """
    return go_on(line, StartedDocument(line, document), told)


def go_on(line: Line, begun: StartedDocument, told: Callable[[Accepted], None] = lambda counts: None) -> Accepted:
    """The rest of a document, as `accept` does it."""
    while group := begun.read(line.clock.time()):
        _commit(line, [group])
        told(begun.counts)
    return begun.counts


def start_group(line: Line, documents: Sequence[Document]) -> list[StartedDocument | Exception]:
    """The first group of each document, in one commit. What failed with one stands in its place, the others go on."""
    began: list[StartedDocument | Exception] = []
    groups: dict[int, Group] = {}
    for number, document in enumerate(documents):
        try:
            begun = StartedDocument(line, document)
            began.append(begun)
            if group := begun.read(line.clock.time()):
                groups[number] = group
        except Exception as error:  # noqa: BLE001 - goes to who handed this document over
            began[number:] = [error]
    try:
        _commit(line, list(groups.values()))
    except JournalError as error:
        began = [error if number in groups else each for number, each in enumerate(began)]
    except Exception:  # noqa: BLE001 - of one of them; which, they show one by one
        for number, group in groups.items():
            try:
                _commit(line, [group])
            except Exception as error:  # noqa: BLE001 - goes to who handed this document over
                began[number] = error
    return began


def _commit(line: Line, groups: list[Group]) -> None:
    began = time.perf_counter()
    line.journal.receipts.accept_groups(groups, line.anonymous, line.clock.time())
    line.hooks.timings.committed(time.perf_counter() - began)


def _told_by_clocks(record: Parsed, now: float) -> Parsed:
    if not isinstance(record, Found) or CLOCK_OFF in record.receipt.flags:
        return record
    receipt = record.receipt
    apart = abs(receipt.created.date() - receipt.business_date)
    if receipt.created.timestamp() - now <= _AHEAD and apart <= _TRADING:
        return record
    return attrs.evolve(record, receipt=attrs.evolve(receipt, flags=(*receipt.flags, CLOCK_OFF)))

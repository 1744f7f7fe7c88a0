"""Accept: a document's records become receipts in the journal. When this returns, they are on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice

import attrs

from tillpost.errors import DocumentError, JournalError, PluginError, TillpostError, describe
from tillpost.flow.intake.receipt_flags import flags_at_acceptance
from tillpost.flow.line import Line
from tillpost.journal import Accepted, Group, Reading
from tillpost.model import Broken, Document, Found, IdentifierRules, NoReceipt, Parsed
from tillpost.model.receipt_json import with_flags

GROUP = 100
"""Records in a commit. Measured: 41,000 rows/s at 10, 75,000 at 100, 79,000 at 1,000 (decisions/0003-journal.md)."""

MOST_FAILURES = 3
"""Failures of a plugin with one document after which it is set aside."""


class StartedDocument:
    """A document that is being read: its records in groups, in order, and the counts of those that are committed."""

    def __init__(self, line: Line, document: Document, source: str) -> None:
        """source: who handed it over, for the table of documents."""
        self.document = document
        self.reading = Reading(document, source)
        self.counts = Accepted()
        self._line = line
        self._records = iter(line.hooks.parse_receipts(document))
        self._error: TillpostError | None = None
        self._ended = False
        fault = line.in_hand.examine(self.reading, line.journal.documents, line.trials, line.clock.time())
        if fault is not None:
            self._records = islice(self._records, fault.records)
        self._fatal = fault.error if fault is not None else None
        """Why the document must not be read beyond its records."""

    def next_group(self, now: float) -> Group | None:
        """The next group to commit; None at the end. Raises DocumentError when the document cannot be read on.

        A plugin that fails raises its own error, so that the source tries again; at the third time it is DocumentError.
        """
        if self._ended:
            if self._error is not None:
                raise self._charged(self._error, now)
            return None
        records: list[Parsed] = []
        try:
            with self._line.in_hand.holding(self.reading):
                records.extend(islice(self._records, GROUP))
        except (DocumentError, PluginError) as error:
            self._error = error  # raised once the records before it in this group are committed
        if len(records) < GROUP and self._error is None:
            self._error = self._fatal
        self._ended = len(records) < GROUP
        last = self._ended and self._error is None
        if not records and not last:
            return self.next_group(now)
        flagged = [_flagged(record, now, self._line.rules) for record in records]
        return Group(parsed=flagged, document=self.document, counts=self.counts, last=last, reading=self.reading)

    def _charged(self, error: TillpostError, now: float) -> TillpostError:
        """The error for the source, after it was recorded against the document."""
        if not isinstance(error, DocumentError):
            failures = self._line.journal.documents.retry_later(self.reading, str(error), now)
            if failures < MOST_FAILURES:
                return error
            error = DocumentError(f"{error}; reading it has failed {failures} times", self.document.name)
        error.counts = self.counts.as_dict()
        self._set_aside(error, now)
        return error

    def _set_aside(self, error: DocumentError, now: float) -> None:
        """Record it before its source puts it away, so that no crash leaves it aside unknown."""
        path = self.document.path
        place = str(path.absolute()) if path is not None else ""
        self._line.journal.documents.set_aside(self.reading, str(error), now, place)


def accept(
    line: Line,
    document: Document,
    on_commit: Callable[[Accepted], None] = lambda counts: None,
    source: str = "accept",
) -> Accepted:
    """Parse a document and commit its records in groups, in order.

    source: who handed it over, for the table of documents.

    on_commit: called after each commit with the counts so far; it may raise Stopped. A document that was not read to
    its end is handed over again as a whole, and the records the journal has already count as duplicates.

    Raises DocumentError when the document as a whole cannot be read (records before the fault stay accepted, and it is
    recorded as set aside), and JournalError when nothing can be committed: then the source keeps its copy.
    """
    return accept_rest(line, StartedDocument(line, document, source), on_commit)


def accept_rest(
    line: Line, started: StartedDocument, on_commit: Callable[[Accepted], None] = lambda counts: None
) -> Accepted:
    """Commit the rest of a document, as `accept` does."""
    while group := started.next_group(line.clock.time()):
        _commit(line, [group])
        on_commit(started.counts)
    return started.counts


def accept_first_groups(line: Line, documents: Sequence[Document], source: str) -> list[StartedDocument | Exception]:
    """Commit the first group of each document, all in one commit.

    A document that failed has its error in its place; the others are accepted.
    """
    results: list[StartedDocument | Exception] = []
    groups: dict[int, Group] = {}
    for number, document in enumerate(documents):
        try:
            started = StartedDocument(line, document, source)
            results.append(started)
            if group := started.next_group(line.clock.time()):
                groups[number] = group
        except Exception as error:  # noqa: BLE001 - raised to the thread that handed this document over
            results[number:] = [error]
    try:
        _commit(line, list(groups.values()))
    except JournalError as error:
        results = [error if number in groups else result for number, result in enumerate(results)]
    except Exception:  # noqa: BLE001 - one of the groups is at fault; committed one by one, it shows which
        for number, group in groups.items():
            try:
                _commit(line, [group])
            except Exception as error:  # noqa: BLE001 - raised to the thread that handed this document over
                results[number] = error
    return results


def _commit(line: Line, groups: list[Group]) -> None:
    try:
        _write(line, groups)
    except JournalError:
        raise
    except Exception:
        if len(groups) > 1:
            raise
        for group in groups:
            _commit_one_by_one(line, group)


def _commit_one_by_one(line: Line, group: Group) -> None:
    """Commit the records of a group of which one cannot be stored, which is held with the reason."""
    for record in group.parsed:
        try:
            _write(line, [attrs.evolve(group, parsed=[record], last=False)])
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - one record must not keep its document back
            raw = b"" if isinstance(record, NoReceipt) else record.raw
            place = record.receipt.raw.place if isinstance(record, Found) else record.place
            broken = Broken(reason=f"it cannot be stored: {describe(error)}", place=place, raw=raw)
            _write(line, [attrs.evolve(group, parsed=[broken], last=False)])
    if group.last:
        _write(line, [attrs.evolve(group, parsed=[])])


def _write(line: Line, groups: list[Group]) -> None:
    began = time.perf_counter()
    line.journal.receipts.accept_groups(groups, line.anonymous, line.clock.time())
    line.hooks.timings.commits.record("", time.perf_counter() - began)


def _flagged(record: Parsed, now: float, rules: IdentifierRules) -> Parsed:
    if not isinstance(record, Found) or not (flags := flags_at_acceptance(record.receipt, now, rules)):
        return record
    receipt = record.receipt
    return attrs.evolve(record, receipt=with_flags(receipt, (*receipt.flags, *flags)))

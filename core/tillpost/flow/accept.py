"""Accept: a document becomes rows of the journal. What this returns for is on the disk."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document

GROUP = 100
"""Records a commit: 41,000 rows/s at 10, 75,000 at 100, 79,000 at 1,000 (measured; decisions/0003-journal.md)."""


def accept(line: Line, document: Document, told: Callable[[Accepted], None] = lambda counts: None) -> Accepted:
    """Parse a document and commit its records in groups, in order.

    told: called after each commit with what has come of the document so far; it may raise Stopped. A document that was
    not read to its end is handed over again as a whole: what is in the journal already counts as duplicate.

    Raises DocumentError when the document as a whole cannot be read (what came before the fault stays
    accepted), JournalError when the journal cannot promise anything: then the source keeps its copy.
    """
    counts = Accepted()
    records = iter(line.hooks.parse_receipts(document))
    while group := list(islice(records, GROUP)):
        line.journal.receipts.accept(group, document, line.anonymous, line.clock.time(), counts)
        told(counts)
    return counts

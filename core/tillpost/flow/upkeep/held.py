"""Held receipts: a person has one sent again, or discards it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tillpost.errors import UsageError
from tillpost.journal import Accepted, Entry, Journal, Move, State
from tillpost.model import Document, Found

if TYPE_CHECKING:
    from tillpost.flow.line import Line


def retry(line: Line, receipt_id: str) -> str:
    """Queue a held receipt again; what became of it. A record that could not be read is parsed again.

    Raises UsageError when it is not held, InvalidValue when it still cannot be read, JournalError when it cannot go.
    """
    journal = line.journal
    entry = _held(journal, receipt_id)
    now = line.clock.time()
    if not receipt_id.startswith("broken_") and journal.bodies.is_readable(entry.seq):
        journal.receipts.retry(receipt_id, None, now)
        return "queued again"
    document = Document.from_bytes(entry.document, journal.bodies.raw(entry.seq))
    for parsed in line.hooks.parse_receipts(document):
        journal.receipts.retry(receipt_id, parsed, now)
        journal.receipts.accept([parsed], document, line.anonymous, now, Accepted())
        return f"read as {parsed.receipt.id if isinstance(parsed, Found) else 'no sale'}"
    return "still held: its record is empty"


def discard(journal: Journal, receipt_id: str, reason: str, now: float) -> None:
    """Never send a held receipt; it stays in the journal with the reason. Raises UsageError when it is not held."""
    entry = _held(journal, receipt_id)
    move = Move(state=State.SKIPPED, attempts=entry.attempts, reason=f"discarded: {reason}")
    journal.receipts.settle([(entry.seq, move)], now, "held")


def _held(journal: Journal, receipt_id: str) -> Entry:
    entry = journal.receipts.get(receipt_id)
    if entry is None or entry.state is not State.HELD:
        raise UsageError(f"{receipt_id} is not held; `tillpost held list` shows what is")
    return entry

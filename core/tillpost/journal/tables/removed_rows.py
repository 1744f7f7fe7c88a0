"""The seqs of receipts and events that were removed, as ranges: a missing row that is not among them is lost.

Seqs have no gaps. Retention records those it removes, and the doctor those it has reported as lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.journal.database import Transaction

RECEIPTS, EVENTS = "receipts", "events"
LOST = "lost"
"""Receipts that the doctor has reported as lost."""


def record(transaction: Transaction, of: str, seqs: Iterable[int]) -> None:
    """Record removed rows, in the transaction that removes them; neighbouring ranges are joined."""
    for first, last in _runs(seqs):
        before = transaction.execute(
            "SELECT first, last FROM removed WHERE of = ? AND first < ? ORDER BY first DESC LIMIT 1", (of, first)
        ).fetchone()
        after = transaction.execute("SELECT last FROM removed WHERE of = ? AND first = ?", (of, last + 1)).fetchone()
        if after is not None:
            transaction.execute("DELETE FROM removed WHERE of = ? AND first = ?", (of, last + 1))
        end = last if after is None else after[0]
        if before is not None and before[1] == first - 1:
            transaction.execute("UPDATE removed SET last = ? WHERE of = ? AND first = ?", (end, of, before[0]))
        else:
            transaction.execute("INSERT INTO removed VALUES (?,?,?)", (of, first, end))


def _runs(seqs: Iterable[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if runs and runs[-1][1] == seq - 1:
            runs[-1] = runs[-1][0], seq
        else:
            runs.append((seq, seq))
    return runs

"""Recover: repair what the last process left, before the first thread of this one starts."""

from __future__ import annotations

from tillpost.flow.fallback.write_files import sweep
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import after_crash
from tillpost.flow.upkeep.clock_change import apply_change_since_last_run


def recover(line: Line) -> None:
    """Settle receipts that were in flight, and remove files nobody needs. Nothing is sent again unasked.

    A receipt that was being sent is uncertain now. One that was in hand has used an attempt, so that a receipt that
    crashes the process again and again is held in the end.
    """
    apply_change_since_last_run(line)
    journal, now = line.journal, line.clock.time()
    left = journal.receipts.refresh(journal.crash_marks.marked())
    journal.receipts.count_crashes(
        [(entry.seq, after_crash(entry, line.retry, now, line.random)) for entry in left], now
    )
    journal.receipts.recover(now, line.retry.confirm_after.total_seconds())
    journal.crash_marks.clear()
    sweep(line)

"""Recover: what the last process left, repaired before the first thread of this one starts."""

from __future__ import annotations

from tillpost.flow.fallback.write_files import sweep
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import after_crash
from tillpost.flow.upkeep.clock_change import apply_change_since_last_run


def recover(line: Line) -> None:
    """Nothing of it is repeated blindly.

    What was being sent is uncertain. What was in hand has burnt an attempt: a receipt that brings the process down
    again and again is held, instead of taking its neighbours with it. Files nobody needs are removed.
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

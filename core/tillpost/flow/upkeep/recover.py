"""Recover: repair what the last process left, before the first thread of this one starts."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tillpost.flow.fallback.write_files import WRITING, sweep
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import after_crash
from tillpost.flow.upkeep.clock_change import apply_change_since_last_run
from tillpost.journal import Entry, Move, State

_APART = 5
"""First waits (`wait_initial`) between two receipts of which one may have ended the process."""


def recover(line: Line) -> None:
    """Settle receipts that were in flight, and remove files nobody needs. Nothing is sent again unasked.

    A receipt that was being sent is uncertain now. One that was in hand has used an attempt. After the second time it
    is tried in a process of its own (trials.py), so that it is held if it is the cause, and only then: it may as well
    have been in hand at power cuts.
    """
    apply_change_since_last_run(line)
    journal, now = line.journal, line.clock.time()
    left = journal.receipts.refresh(journal.crash_marks.marked())
    if line.trials is None:
        moves = list(_apart(line, left, now))
    else:
        moves = [(entry.seq, after_crash(entry, line.retry, now, line.random, count=False)) for entry in left]
    journal.receipts.count_crashes(moves, now)
    journal.receipts.recover(now, line.retry.confirm_after.total_seconds())
    if journal.crash_marks.was_in(WRITING):
        line.died_writing.set()
    journal.crash_marks.count_ends(now)
    journal.crash_marks.clear()
    sweep(line)


def _apart(line: Line, entries: list[Entry], now: float) -> Iterator[tuple[int, Move]]:
    """Their moves. Those that were in hand at an earlier crash as well are tried one after another.

    One of them is the cause. Tried together with it again, its neighbours would be held with it.
    """
    gap, earliest = _APART * line.retry.wait_initial.total_seconds(), now
    for entry in entries:
        move = after_crash(entry, line.retry, now, line.random)
        if entry.crashes and move.state is not State.HELD:
            move = attrs.evolve(move, due=max(move.due, earliest))
            earliest = move.due + gap
        yield entry.seq, move

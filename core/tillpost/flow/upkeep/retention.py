"""Retention: receipts that were settled longer ago than `keep` leave the journal, in small steps."""

from __future__ import annotations

import attrs

from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.journal import RetentionCursor

PAUSE = 3600.0
"""Seconds between two passes: in an hour few more receipts become old enough."""


@attrs.define
class RetentionPass:
    """How far a pass over old receipts has come. In memory: after a start a new pass begins, and finds less."""

    place: RetentionCursor | None = attrs.field(factory=RetentionCursor)
    next_at: float = 0.0
    """When the next pass begins, in monotonic seconds, once `place` is None."""


def retain(line: Line, progress: RetentionPass) -> bool:
    """Take one step, which is one commit; whether there is more to do now."""
    if line.keep is None or not line.duties.holds(Duty.RETENTION):
        return False
    if progress.place is None and line.clock.monotonic() >= progress.next_at:
        progress.place = RetentionCursor()
    if progress.place is not None:
        now = line.clock.time()
        progress.place = line.journal.retention.step(progress.place, now - line.keep.total_seconds(), now)
        progress.next_at = line.clock.monotonic() + PAUSE
        return True
    return line.journal.retention.release_space()

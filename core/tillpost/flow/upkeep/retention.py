"""Retain: what is settled for longer than `keep` leaves the journal, a small step a round of the attending thread."""

from __future__ import annotations

import attrs

from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.journal import Place

PAUSE = 3600.0
"""Seconds between two passes over what is old: in an hour little more becomes so."""


@attrs.define
class RetentionPass:
    """Where the pass over what is old stands. In memory: after a start it begins anew, and finds less."""

    place: Place | None = attrs.field(factory=Place)
    next_at: float = 0.0
    """When the next begins, by the monotonic clock; once `place` is None."""


def retain(line: Line, standing: RetentionPass) -> bool:
    """One step, each a commit of its own; whether there is more to do now."""
    if line.keep is None or not line.duties.holds(Duty.RETENTION):
        return False
    if standing.place is None and line.clock.monotonic() >= standing.next_at:
        standing.place = Place()
    if standing.place is not None:
        now = line.clock.time()
        standing.place = line.journal.retention.step(standing.place, now - line.keep.total_seconds(), now)
        standing.next_at = line.clock.monotonic() + PAUSE
        return True
    return line.journal.retention.release_space()

"""Clock changes: when the wall clock is set, stored due times move with it, so that no wait changes.

Due times are stored as wall time, because they outlive the process. When the wall clock and the monotonic clock
differ, somebody has set the wall clock. Without this step a receipt that is due in ten seconds would wait an hour
longer after the clock was set back by an hour, and be held as overdue after it was set forward.
"""

from __future__ import annotations

import logging

from tillpost.clock import MIN_CLOCK_CHANGE
from tillpost.flow.line import Line

_log = logging.getLogger("tillpost.flow")


def apply_clock_change(line: Line) -> None:
    """Once a round: if the wall clock was set, move the stored times, in one commit."""
    change = line.clock_changes.detect()
    if change:
        _move(line, change)
        line.clock_changes.applied(change)


def apply_change_since_last_run(line: Line) -> None:
    """At the start: if a stored event is later than now, the wall clock was set back while nothing ran.

    A clock that was set forward cannot be told from time that has passed.
    """
    change = line.clock.time() - line.journal.latest_time()
    if change <= -MIN_CLOCK_CHANGE:
        _move(line, change)


def _move(line: Line, change: float) -> None:
    _log.warning("pipeline %s: the wall clock was set by %+.0f s; due times move with it", line.name, change)
    line.breaker.move_times(change)

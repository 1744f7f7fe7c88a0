"""The wall clock is set, and the line goes on as if it had not been: what is due later moves with the clock.

Due times are stored as wall time, for they outlive the process; waits are measured by the monotonic clock. When the
two part, someone has set the wall clock. Without this a receipt due in ten seconds would wait an hour longer after a
jump back of an hour, and after a jump forward a receipt would be held because its import seems overdue.
"""

from __future__ import annotations

import logging

from tillpost.clock import MIN_CLOCK_CHANGE
from tillpost.flow.line import Line

_log = logging.getLogger("tillpost.flow")


def apply_clock_change(line: Line) -> None:
    """Once a round: if the wall clock was set, move what is stored, in one commit."""
    jumped = line.clock_changes.detect()
    if jumped:
        _move(line, jumped)
        line.clock_changes.applied(jumped)


def apply_change_since_last_run(line: Line) -> None:
    """At the start: was the wall clock set back while nothing ran? Nothing can have been later than now.

    A clock set forward meanwhile cannot be told from time that has passed.
    """
    jumped = line.clock.time() - line.journal.latest_time()
    if jumped <= -MIN_CLOCK_CHANGE:
        _move(line, jumped)


def _move(line: Line, jumped: float) -> None:
    _log.warning("pipeline %s: the wall clock was set by %+.0f s; what is due moves with it", line.name, jumped)
    line.breaker.move_times(jumped)

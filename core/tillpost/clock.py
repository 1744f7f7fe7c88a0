"""Time comes from a clock that is passed in, so that a test decides what time it is."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for due times and file names, monotonic time for waits and deadlines."""

    def time(self) -> float:
        """Seconds since 1970 UTC; may jump."""

    def monotonic(self) -> float:
        """Seconds from an unknown start; never jump, so only differences mean anything."""

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait for so many seconds; return True at once when `stop` is set."""


class SystemClock:
    """The machine's clocks."""

    def time(self) -> float:
        """Seconds since 1970 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait on the event, so that a stop ends the wait."""
        return stop.wait(max(0.0, seconds))


MIN_CLOCK_CHANGE = 2.0
"""Seconds. Time synchronisation moves a clock by less, and the two clocks are not read at the same moment."""


class ClockChanges:
    """By how much the wall clock was set since the stored times last moved with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.time() - clock.monotonic()

    def detect(self) -> float:
        """Seconds, negative for a clock that was set back; 0 when it was not set."""
        change = self._clock.time() - self._clock.monotonic() - self._offset
        return change if abs(change) >= MIN_CLOCK_CHANGE else 0.0

    def applied(self, change: float) -> None:
        """The stored times have moved by so many seconds."""
        self._offset += change


def iso(seconds: float) -> str:
    """A moment for people and JSON: ISO 8601, local time with its offset, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="milliseconds")

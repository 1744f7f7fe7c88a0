"""Time as a value that is handed in, so that no decision depends on when it is tested."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for due times and file names, monotonic time for waits and deadlines."""

    def time(self) -> float:
        """Seconds since 1970 UTC; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, or return True at once when `stop` is set."""
        ...


class SystemClock:
    """The machine's clocks."""

    def time(self) -> float:
        """Seconds since 1970 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait on the event, so that a stop ends every wait."""
        return stop.wait(max(0.0, seconds))


LEAST_JUMP = 2.0
"""Seconds below which it is no jump: a clock that is kept in step is moved by less, and no wait is that exact."""


class Jumps:
    """How far the wall clock was set since what is stored last followed it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.time() - clock.monotonic()

    def seen(self) -> float:
        """Seconds, negative for a clock set back; 0 when it was not set."""
        jumped = self._clock.time() - self._clock.monotonic() - self._ahead
        return jumped if abs(jumped) >= LEAST_JUMP else 0.0

    def followed(self, jumped: float) -> None:
        """What is stored has moved by so much."""
        self._ahead += jumped


def iso(seconds: float) -> str:
    """A moment for people and JSON: local time with its offset, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="milliseconds")

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


def iso(seconds: float) -> str:
    """A moment for people and JSON: local time with its offset, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="milliseconds")

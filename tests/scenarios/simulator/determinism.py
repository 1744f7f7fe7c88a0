"""Clock and randomness that follow from the seed: the same seed gives the same run, on any machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import tillpost.journal.tables.contact_links
import tillpost_engage.files

MIDNIGHT = 1_795_474_800.0
"""Where the wall clock starts: 2026-11-24 00:00:00 in Stockholm."""


class SimulatedClock:
    """Stands still until the schedule moves it. The wall clock may jump; the monotonic clock never does."""

    def __init__(self) -> None:
        self._wall = MIDNIGHT
        self._monotonic = 0.0

    def time(self) -> float:
        """Seconds since 1970 by the wall clock, which may be wrong."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds since the run began; the destination's time, too."""
        return self._monotonic

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Nobody waits here."""
        raise AssertionError("the simulator has no threads that could wait")

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._wall += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """The wall clock is set, forward or back."""
        self._wall += seconds


class _Tokens:
    """Replaces the module `secrets`: keys of contacts and names of files follow from the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def token_hex(self, size: int) -> str:
        self._count += 1
        return hashlib.sha256(f"{self._seed}/{self._count}".encode()).hexdigest()[: 2 * size]


@contextmanager
def seeded(seed: int) -> Iterator[Random]:
    """Inside the block every random token follows from the seed. The value is the flow's random generator."""
    tokens: Any = _Tokens(seed)
    with (
        patch.object(tillpost.journal.tables.contact_links, "secrets", tokens),
        patch.object(tillpost_engage.files, "secrets", tokens),
    ):
        yield Random(seed)

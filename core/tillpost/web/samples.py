"""Samples for the charts: one a minute of each pipeline, in memory. A restart starts them again."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping

import attrs

from tillpost.clock import Clock
from tillpost.errors import JournalError, describe
from tillpost.journal import SETTLED, Journal

_log = logging.getLogger("tillpost.page")
EVERY = 60.0
"""Seconds between two samples."""
KEPT = 24 * 60
"""Samples of a pipeline: a day."""


@attrs.frozen
class Sample:
    """At a moment: receipts not settled, and how many were ever accepted and delivered."""

    at: float
    backlog: int
    accepted: int
    delivered: int


def sample(journal: Journal, now: float) -> Sample:
    """The journal now; receipts that retention has removed are not counted."""
    counts = journal.receipts.counts()
    backlog = sum(count for state, count in counts.items() if state not in SETTLED)
    return Sample(now, backlog, sum(counts.values()), counts["delivered"])


class Samples:
    """The samples of all pipelines."""

    def __init__(self, journals: Callable[[], Mapping[str, Journal]], clock: Clock) -> None:
        """journals: those there are now, by pipeline."""
        self._journals = journals
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, deque[Sample]] = {}

    def take(self) -> None:
        """Take one of each pipeline; a journal that cannot be read now has a gap."""
        for name, journal in self._journals().items():
            try:
                taken = sample(journal, self._clock.time())
            except BaseException as error:  # noqa: BLE001 - nothing ends the thread of the samples
                if not isinstance(error, JournalError):
                    _log.error("status page: no sample of %s: %s", name, describe(error))
                continue
            with self._lock:
                self._kept.setdefault(name, deque(maxlen=KEPT)).append(taken)

    def keep_taking(self, stop: threading.Event) -> None:
        """Take one a minute until `stop` is set."""
        self.take()
        while not self._clock.wait(EVERY, stop):
            self.take()

    def of(self, name: str) -> list[Sample]:
        """Those of a pipeline, oldest first, and one of now."""
        with self._lock:
            kept = list(self._kept.get(name, ()))
        return [*kept, sample(self._journals()[name], self._clock.time())]

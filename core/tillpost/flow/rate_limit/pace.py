"""Pace: how many requests of a pipeline its rate budget allows, and how many wait for it at the moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tillpost.flow.heartbeat import record_progress, record_rest
from tillpost.plugin import Budget, Secret

MIN_WORKERS, MAX_WORKERS = 4, 64
"""Receipts on their way at the same time, where the configuration does not say how many."""


class Pace:
    """Of one pipeline: watches the budgets its plugins ask for."""

    def __init__(self, budget: Callable[[Secret, float], Budget]) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._rate = 0.0
        self.waiting = 0
        """Threads that wait for the budget now."""
        self.requests = 0
        """How many the budget has let go so far."""

    def budget(self, key: Secret, rate: float) -> Budget:
        """`Context.budget` of the pipeline's plugins."""
        self._rate = max(self._rate, rate)
        return _Watched(self, self._budget(key, rate))

    @property
    def rate(self) -> float:
        """Requests a second its plugins ask for; 0 when none asks. Others with the same key may make it less."""
        return self._rate

    def default_workers(self) -> int:
        """As many as the rate allows when an answer takes a second, within bounds."""
        return max(MIN_WORKERS, min(MAX_WORKERS, int(self._rate)))

    def add_waiting(self, more: int) -> None:
        """So many more threads wait."""
        with self._lock:
            self.waiting += more

    def count_request(self) -> None:
        """One more request is under way."""
        with self._lock:
            self.requests += 1


class _Watched:
    def __init__(self, pace: Pace, budget: Budget) -> None:
        self._pace = pace
        self._budget = budget
        self.slow = budget.slow

    @contextmanager
    def request(self) -> Iterator[None]:
        with ExitStack() as under_way:
            self._pace.add_waiting(1)
            record_rest()
            try:
                under_way.enter_context(self._budget.request())
            finally:
                record_progress()
                self._pace.add_waiting(-1)
            self._pace.count_request()
            yield

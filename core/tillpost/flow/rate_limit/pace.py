"""Pace: how many requests the rate budgets of a pipeline allow, and how many threads wait for them now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tillpost.flow.heartbeat import record_progress, record_rest
from tillpost.flow.rate_limit.budget import takes_leftovers
from tillpost.plugin import Budget, Secret

MIN_WORKERS, MAX_WORKERS = 4, 64
"""Bounds of the number of receipts on their way at once, where the configuration names none."""


class Pace:
    """Measures the budgets that the plugins of one pipeline use."""

    def __init__(self, budget: Callable[[Secret, float], Budget]) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self.rate = 0.0
        """The largest rate its plugins ask for, requests a second; 0 for none. Others with the key may ask for less."""
        self.waiting = 0
        """Threads that wait for a budget now, without those that take leftovers."""
        self.requests = 0
        """Requests that were let go so far."""
        self.leftover_requests = 0
        """Of these, requests that took what the others left (verification)."""

    def budget(self, key: Secret, rate: float) -> Budget:
        """`Context.budget` of the pipeline's plugins."""
        self.rate = max(self.rate, rate)
        return _MeasuredBudget(self, self._budget(key, rate))

    def default_workers(self) -> int:
        """As many threads as keep the rate when an answer takes a second, within bounds."""
        return max(MIN_WORKERS, min(MAX_WORKERS, int(self.rate)))

    @contextmanager
    def request(self, budget: Budget) -> Iterator[None]:
        """As `budget.request()`, measured."""
        leftover = takes_leftovers()
        with ExitStack() as request:
            with self._lock:
                self.waiting += not leftover
            record_rest()
            try:
                request.enter_context(budget.request())
            finally:
                record_progress()
                with self._lock:
                    self.waiting -= not leftover
            with self._lock:
                self.requests += 1
                self.leftover_requests += leftover
            yield


class _MeasuredBudget:
    def __init__(self, pace: Pace, budget: Budget) -> None:
        self.request = partial(pace.request, budget)
        self.slow = budget.slow

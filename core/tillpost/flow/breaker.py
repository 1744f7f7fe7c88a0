"""The circuit breaker: the state of the destination, which says whether requests may be made.

An outage goes online → degraded → fallback → catching up → confirming → online. `paused` stands beside these: the
destination answers and refuses our settings (key, address). Nothing is sent then, and no receipt loses an attempt,
until a probe succeeds. The transitions are pure functions; `Breaker` keeps the current state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from typing import TypeVar

import attrs

from tillpost.clock import Clock
from tillpost.flow.limits import RetryPolicy
from tillpost.flow.retry_policy import backoff
from tillpost.journal import Destination, Journal
from tillpost.model import MaybeSent, Misconfigured, NotSent

_T = TypeVar("_T")

ONLINE, DEGRADED, PAUSED = "online", "degraded", "paused"
FALLBACK, CATCHING_UP, CONFIRMING = "fallback", "catching up", "confirming"
STATES = (ONLINE, DEGRADED, PAUSED, FALLBACK, CATCHING_UP, CONFIRMING)

_REACHABLE = (ONLINE, CATCHING_UP, CONFIRMING)
_FAILURES = 3
"""Consecutive failures that stop requests: one lost packet is no outage."""
ANSWERS_NEEDED = 3
"""Consecutive answers that end an outage in which files are written. One answer may come from a destination that is
about to fail again, and must not send it the whole backlog."""


def is_reachable(destination: Destination) -> bool:
    """Whether requests may be made."""
    return destination.state in _REACHABLE


def after_answer(
    destination: Destination, now: float, files_open: bool, retry: RetryPolicy, random: Random
) -> Destination:
    """The destination has answered and accepts our key. Fallback ends only after ANSWERS_NEEDED answers in a row."""
    if destination.state == FALLBACK and destination.answers + 1 < ANSWERS_NEEDED:
        answers = destination.answers + 1
        pause = backoff(1, retry, random)
        reason = f"the destination answers again, {answers} of {ANSWERS_NEEDED} in a row"
        return attrs.evolve(destination, answers=answers, reason=reason, failures=0, probe_due=now + pause)
    state = destination.state if is_reachable(destination) else CATCHING_UP if files_open else ONLINE
    if state == destination.state and not destination.failures:
        return destination
    since = destination.since if state == destination.state else now
    reason = destination.reason if state == destination.state else "the destination answers again"
    return attrs.evolve(
        destination, state=state, reason=reason, since=since, unreachable_since=None, failures=0, answers=0
    )


def after_failure(
    destination: Destination, failure: NotSent | MaybeSent, now: float, retry: RetryPolicy, random: Random
) -> Destination:
    """There was no answer, or one that says the destination cannot work. _FAILURES in a row stop the requests."""
    failures = destination.failures + 1
    after = failure.retry_after if isinstance(failure, NotSent) else None
    pause = backoff(failures, retry, random, after)
    state, since, reason = destination.state, destination.since, destination.reason
    if (is_reachable(destination) and failures >= _FAILURES) or destination.state == PAUSED:
        state, since, reason = DEGRADED, now, failure.reason
    elif destination.state == FALLBACK:
        reason = failure.reason
    return attrs.evolve(
        destination,
        state=state,
        reason=reason,
        since=since,
        failures=failures,
        answers=0,
        unreachable_since=now if destination.unreachable_since is None else destination.unreachable_since,
        probe_due=now + pause,
    )


def after_misconfiguration(
    destination: Destination, failure: Misconfigured, now: float, retry: RetryPolicy, random: Random
) -> Destination:
    """The destination refuses our settings: pause until a probe succeeds."""
    failures = destination.failures + 1
    pause = backoff(failures, retry, random)
    since = destination.since if destination.state == PAUSED else now
    return attrs.evolve(
        destination, state=PAUSED, reason=failure.reason, since=since, failures=failures,
        answers=0, unreachable_since=None, probe_due=now + pause,
    )  # fmt: skip


class Breaker:
    """The destination's state for all threads of a pipeline. Every change is written to the journal."""

    def __init__(self, journal: Journal, retry: RetryPolicy, clock: Clock, random: Random) -> None:
        self._journal = journal
        self._retry = retry
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self.destination = journal.destination.get()

    def allows_requests(self) -> bool:
        """Whether requests may be made."""
        return is_reachable(self.destination)

    def use_policy(self, retry: RetryPolicy) -> None:
        """Use another retry policy from now on. A destination that cannot be reached is probed at once."""
        with self._lock:
            self._retry = retry
            if not is_reachable(self.destination):
                self._store(attrs.evolve(self.destination, probe_due=self._clock.time()))

    def apply(self, transition: Callable[[Destination], Destination]) -> None:
        """Store what the transition makes of the current state."""
        with self._lock:
            self._store(transition(self.destination))

    def move_times(self, seconds: float) -> None:
        """Move the pending times of the journal, and the destination's, after the wall clock was set."""
        with self._lock:
            self._journal.shift_pending(seconds, self._clock.time())
            self.destination = self._journal.destination.get()

    def record(self, outcome: _T) -> _T:
        """Record the outcome of any call to the destination, and return it. What is no failure is an answer."""
        now = self._clock.time()
        with self._lock:
            match outcome:
                case NotSent() | MaybeSent():
                    self._store(after_failure(self.destination, outcome, now, self._retry, self._random))
                case Misconfigured():
                    self._store(after_misconfiguration(self.destination, outcome, now, self._retry, self._random))
                case _:
                    if self.destination.failures or not is_reachable(self.destination):
                        files_open = bool(self._journal.file_states.open_states())
                        self._store(after_answer(self.destination, now, files_open, self._retry, self._random))
        return outcome

    def _store(self, destination: Destination) -> None:
        if destination != self.destination:
            self._journal.destination.put(destination, self._clock.time())
            self.destination = destination

"""The outage as a state of the destination: online → degraded → fallback → catching up → confirming → online.

`paused` stands beside the line: the destination answers, yet refuses our settings (key, address); nothing is sent
and nothing is condemned until a probe succeeds. The transitions are pure; `Breaker` keeps the current one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

import attrs

from tillpost.clock import Clock
from tillpost.flow.limits import RetryPolicy
from tillpost.flow.retry_policy import wait
from tillpost.journal import Destination, Journal
from tillpost.model import MaybeSent, Misconfigured, NotSent

ONLINE, DEGRADED, PAUSED = "online", "degraded", "paused"
FALLBACK, CATCHING_UP, CONFIRMING = "fallback", "catching up", "confirming"
STATES = (ONLINE, DEGRADED, PAUSED, FALLBACK, CATCHING_UP, CONFIRMING)

_REACHABLE = (ONLINE, CATCHING_UP, CONFIRMING)
_FAILURES = 3
"""Consecutive failures that open the breaker: one lost packet is no outage."""
ANSWERS = 3
"""Answers in a row that end an outage for which files are written: one answer of a destination that is still falling
over must not send the whole backlog at it."""


def reachable(destination: Destination) -> bool:
    """True while requests may be made."""
    return destination.state in _REACHABLE


def answered(destination: Destination, now: float, files_open: bool, retry: RetryPolicy, random: Random) -> Destination:
    """The destination has answered and takes our key. Out of fallback only after ANSWERS probes in a row."""
    if destination.state == FALLBACK and destination.answers + 1 < ANSWERS:
        answers = destination.answers + 1
        pause = wait(1, retry.wait_initial.total_seconds(), retry.wait_max.total_seconds(), random)
        reason = f"the destination answers again, {answers} of {ANSWERS} in a row"
        return attrs.evolve(destination, answers=answers, reason=reason, failures=0, probe_due=now + pause)
    state = destination.state if reachable(destination) else CATCHING_UP if files_open else ONLINE
    if state == destination.state and not destination.failures:
        return destination
    since = destination.since if state == destination.state else now
    reason = destination.reason if state == destination.state else "the destination answers again"
    return attrs.evolve(
        destination, state=state, reason=reason, since=since, unreachable_since=None, failures=0, answers=0
    )


def failed(
    destination: Destination, failure: NotSent | MaybeSent, now: float, retry: RetryPolicy, random: Random
) -> Destination:
    """No answer, or one that says it could not. Enough of them in a row open the breaker."""
    failures = destination.failures + 1
    after = failure.retry_after if isinstance(failure, NotSent) else None
    pause = wait(failures, retry.wait_initial.total_seconds(), retry.wait_max.total_seconds(), random, after)
    state, since, reason = destination.state, destination.since, destination.reason
    if (reachable(destination) and failures >= _FAILURES) or destination.state == PAUSED:
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


def misconfigured(
    destination: Destination, failure: Misconfigured, now: float, retry: RetryPolicy, random: Random
) -> Destination:
    """The settings are wrong: pause until a probe succeeds."""
    failures = destination.failures + 1
    pause = wait(failures, retry.wait_initial.total_seconds(), retry.wait_max.total_seconds(), random)
    since = destination.since if destination.state == PAUSED else now
    return attrs.evolve(
        destination, state=PAUSED, reason=failure.reason, since=since, failures=failures,
        answers=0, unreachable_since=None, probe_due=now + pause,
    )  # fmt: skip


class Breaker:
    """The destination's state for all threads of a pipeline; every change goes to the journal."""

    def __init__(self, journal: Journal, retry: RetryPolicy, clock: Clock, random: Random) -> None:
        self._journal = journal
        self._retry = retry
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self.destination = journal.destination.get()

    def open(self) -> bool:
        """True while requests may be made."""
        return reachable(self.destination)

    def follow(self, retry: RetryPolicy) -> None:
        """Other settings hold from now on: what refused the old ones is asked at once."""
        with self._lock:
            self._retry = retry
            if not reachable(self.destination):
                self._store(attrs.evolve(self.destination, probe_due=self._clock.time()))

    def change(self, transition: Callable[[Destination], Destination]) -> None:
        """Make one of the transitions above on the current state, and store what comes of it."""
        with self._lock:
            self._store(transition(self.destination))

    def jumped(self, seconds: float) -> None:
        """The wall clock was set by so much; the journal's pending times and the destination's move with it."""
        with self._lock:
            self._journal.clock_jumped(seconds, self._clock.time())
            self.destination = self._journal.destination.get()

    def saw(self, outcome: object) -> None:
        """Learn from any outcome of a call to the destination; other values count as an answer."""
        now = self._clock.time()
        with self._lock:
            match outcome:
                case NotSent() | MaybeSent():
                    self._store(failed(self.destination, outcome, now, self._retry, self._random))
                case Misconfigured():
                    self._store(misconfigured(self.destination, outcome, now, self._retry, self._random))
                case _:
                    if self.destination.failures or not reachable(self.destination):
                        files = bool(self._journal.files.open_states())
                        self._store(answered(self.destination, now, files, self._retry, self._random))

    def _store(self, new: Destination) -> None:
        if new != self.destination:
            self._journal.destination.put(new, self._clock.time())
            self.destination = new

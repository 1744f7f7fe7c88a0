"""The circuit breaker: the state of the destination, which says whether requests may be made.

An outage goes online → degraded → fallback → catching up → confirming → online. `paused` stands beside these: the
destination answers and refuses our settings (key, address). Nothing is sent then, and no receipt loses an attempt,
until a probe succeeds. The transitions are pure functions; `Breaker` keeps the current state.

A call about one receipt or one contact never moves the state to degraded or paused: a contact whose lookup always
answers 500 would stop all others. The probe, which is about nobody, must fail too. While it succeeds, the trouble is
that of the receipt or contact, which waits alone (docs/decisions/0022-whose-trouble.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from typing import TypeVar

import attrs

from tillpost.clock import Clock
from tillpost.errors import TillpostError
from tillpost.flow.limits import RetryPolicy
from tillpost.flow.retry_policy import backoff
from tillpost.journal import Destination, Journal
from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Outcome

_T = TypeVar("_T")

ONLINE, DEGRADED, PAUSED = "online", "degraded", "paused"
FALLBACK, CATCHING_UP, CONFIRMING = "fallback", "catching up", "confirming"
STATES = (ONLINE, DEGRADED, PAUSED, FALLBACK, CATCHING_UP, CONFIRMING)

_REACHABLE = (ONLINE, CATCHING_UP, CONFIRMING)
_FAILURES = 3
"""Consecutive failures after which the probe is asked: one lost packet is no outage."""
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
        self._asking = threading.Lock()
        """Held while the probe is asked, which settles for all threads whose trouble it is."""
        self._probe: Callable[[], Outcome] | None = None
        self.destination = journal.destination.get()

    def allows_requests(self) -> bool:
        """Whether requests may be made."""
        return is_reachable(self.destination)

    def use_probe(self, probe: Callable[[], Outcome]) -> None:
        """The question that is about nobody. Without one every failure counts against the destination."""
        self._probe = probe

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

    def record(self, outcome: _T) -> _T | NotSent:
        """Record the outcome of any call to the destination. What is no failure is an answer.

        Returns the outcome; NotSent in the place of Misconfigured when the probe shows that the settings are right.
        """
        if not isinstance(outcome, NotSent | MaybeSent | Misconfigured):
            with self._lock:
                self._record(outcome)
            return outcome
        with self._lock:
            if not self._needs_witness(outcome):
                self._record(outcome)
                return outcome
        with self._asking:
            if self.allows_requests() and self._probe_answers():
                self.record_probe(Delivered())
                if isinstance(outcome, Misconfigured):
                    reason = f"{outcome.reason}, for this one alone: the destination takes our key and settings"
                    return NotSent(reason=reason, status=outcome.status)
                return outcome
            self.record_probe(outcome)  # before the next thread asks
        return outcome

    def record_probe(self, outcome: object) -> None:
        """Record an outcome that speaks for the whole destination."""
        with self._lock:
            self._record(outcome)

    def answers(self) -> bool:
        """Whether the destination answers; after a failure that no answer has followed, the probe says so."""
        with self._asking:
            if self.allows_requests() and self.destination.failures:
                if self._probe is None or not self._probe_answers():
                    return False
                self.record_probe(Delivered())
        return self.allows_requests()

    def _needs_witness(self, outcome: NotSent | MaybeSent | Misconfigured) -> bool:
        """Whether this outcome would stop the requests, and the probe must say whether it speaks for all."""
        if self._probe is None or not is_reachable(self.destination):
            return False
        return isinstance(outcome, Misconfigured) or self.destination.failures + 1 >= _FAILURES

    def _probe_answers(self) -> bool:
        assert self._probe is not None
        try:
            verdict = self._probe()
        except TillpostError:
            return False
        return not isinstance(verdict, NotSent | MaybeSent | Misconfigured)

    def _record(self, outcome: object) -> None:
        now = self._clock.time()
        match outcome:
            case NotSent() | MaybeSent():
                self._store(after_failure(self.destination, outcome, now, self._retry, self._random))
            case Misconfigured():
                self._store(after_misconfiguration(self.destination, outcome, now, self._retry, self._random))
            case _:
                if self.destination.failures or not is_reachable(self.destination):
                    files_open = bool(self._journal.file_states.open_states())
                    self._store(after_answer(self.destination, now, files_open, self._retry, self._random))

    def _store(self, destination: Destination) -> None:
        if destination != self.destination:
            self._journal.destination.put(destination, self._clock.time())
            self.destination = destination

"""The outage as a state of the tenant: online → degraded → file mode → draining → reconciling → online.

`paused` stands beside the line: the far side answers, yet refuses our settings (key, address); nothing is sent
and nothing is condemned until a probe succeeds. The transitions are pure; `Gate` keeps the current one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

import attrs

from tillpost.clock import Clock
from tillpost.flow.limits import RetryPolicy
from tillpost.flow.policy import wait
from tillpost.journal import Journal, Tenant
from tillpost.model import MaybeSent, Misconfigured, NotSent

ONLINE, DEGRADED, PAUSED = "online", "degraded", "paused"
FILE_MODE, DRAINING, RECONCILING = "file mode", "draining", "reconciling"
STATES = (ONLINE, DEGRADED, PAUSED, FILE_MODE, DRAINING, RECONCILING)

_REACHABLE = (ONLINE, DRAINING, RECONCILING)
_FAILURES = 3
"""Consecutive failures that open the breaker: one lost packet is no outage."""
ANSWERS = 3
"""Answers in a row that end an outage for which files are written: one answer of a far side that is still falling
over must not send the whole backlog at it."""


def reachable(tenant: Tenant) -> bool:
    """True while requests may be made."""
    return tenant.state in _REACHABLE


def answered(tenant: Tenant, now: float, files_open: bool, retry: RetryPolicy, random: Random) -> Tenant:
    """The far side has answered and takes our key. Out of file mode only after ANSWERS probes in a row."""
    if tenant.state == FILE_MODE and tenant.answers + 1 < ANSWERS:
        answers = tenant.answers + 1
        pause = wait(1, retry.wait_initial.total_seconds(), retry.wait_max.total_seconds(), random)
        reason = f"the far side answers again, {answers} of {ANSWERS} in a row"
        return attrs.evolve(tenant, answers=answers, reason=reason, failures=0, probe_due=now + pause)
    state = tenant.state if reachable(tenant) else DRAINING if files_open else ONLINE
    if state == tenant.state and not tenant.failures:
        return tenant
    since = tenant.since if state == tenant.state else now
    reason = tenant.reason if state == tenant.state else "the far side answers again"
    return attrs.evolve(tenant, state=state, reason=reason, since=since, unreachable_since=None, failures=0, answers=0)


def failed(tenant: Tenant, failure: NotSent | MaybeSent, now: float, retry: RetryPolicy, random: Random) -> Tenant:
    """No answer, or one that says it could not. Enough of them in a row open the breaker."""
    failures = tenant.failures + 1
    after = failure.retry_after if isinstance(failure, NotSent) else None
    pause = wait(failures, retry.wait_initial.total_seconds(), retry.wait_max.total_seconds(), random, after)
    state, since, reason = tenant.state, tenant.since, tenant.reason
    if (reachable(tenant) and failures >= _FAILURES) or tenant.state == PAUSED:
        state, since, reason = DEGRADED, now, failure.reason
    elif tenant.state == FILE_MODE:
        reason = failure.reason
    return attrs.evolve(
        tenant,
        state=state,
        reason=reason,
        since=since,
        failures=failures,
        answers=0,
        unreachable_since=now if tenant.unreachable_since is None else tenant.unreachable_since,
        probe_due=now + pause,
    )


def misconfigured(tenant: Tenant, failure: Misconfigured, now: float, retry: RetryPolicy, random: Random) -> Tenant:
    """The settings are wrong: pause until a probe succeeds."""
    failures = tenant.failures + 1
    pause = wait(failures, retry.wait_initial.total_seconds(), retry.wait_max.total_seconds(), random)
    since = tenant.since if tenant.state == PAUSED else now
    return attrs.evolve(
        tenant, state=PAUSED, reason=failure.reason, since=since, failures=failures,
        answers=0, unreachable_since=None, probe_due=now + pause,
    )  # fmt: skip


def file_mode(tenant: Tenant, now: float, after: float) -> Tenant:
    """Unreachable for so long that files are written instead."""
    if tenant.state == DEGRADED and tenant.unreachable_since is not None and now - tenant.unreachable_since >= after:
        return attrs.evolve(tenant, state=FILE_MODE, since=now, spool_due=now)
    return tenant


def progressed(tenant: Tenant, now: float, to_upload: bool, to_confirm: bool) -> Tenant:
    """Draining while files have to go up, reconciling while ids and proofs are outstanding, then online."""
    if not reachable(tenant):
        return tenant
    state = DRAINING if to_upload else RECONCILING if to_confirm else ONLINE
    if state == tenant.state:
        return tenant
    reason = {DRAINING: "files go up", RECONCILING: "waiting for the import to show", ONLINE: ""}[state]
    return attrs.evolve(tenant, state=state, since=now, reason=reason)


class Gate:
    """The tenant's state for all threads of a pipeline; every change goes to the journal."""

    def __init__(self, journal: Journal, retry: RetryPolicy, clock: Clock, random: Random) -> None:
        self._journal = journal
        self._retry = retry
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self.tenant = journal.tenant.get()

    def open(self) -> bool:
        """True while requests may be made."""
        return reachable(self.tenant)

    def follow(self, retry: RetryPolicy) -> None:
        """Other settings hold from now on: what refused the old ones is asked at once."""
        with self._lock:
            self._retry = retry
            if not reachable(self.tenant):
                self._store(attrs.evolve(self.tenant, probe_due=self._clock.time()))

    def change(self, transition: Callable[[Tenant], Tenant]) -> None:
        """Make one of the transitions above on the current state, and store what comes of it."""
        with self._lock:
            self._store(transition(self.tenant))

    def jumped(self, seconds: float) -> None:
        """The wall clock was set by so much; the journal's pending times and the tenant's move with it."""
        with self._lock:
            self._journal.clock_jumped(seconds, self._clock.time())
            self.tenant = self._journal.tenant.get()

    def saw(self, outcome: object) -> None:
        """Learn from any outcome of a call to the far side; other values count as an answer."""
        now = self._clock.time()
        with self._lock:
            match outcome:
                case NotSent() | MaybeSent():
                    self._store(failed(self.tenant, outcome, now, self._retry, self._random))
                case Misconfigured():
                    self._store(misconfigured(self.tenant, outcome, now, self._retry, self._random))
                case _:
                    if self.tenant.failures or not reachable(self.tenant):
                        files = bool(self._journal.files.open_states())
                        self._store(answered(self.tenant, now, files, self._retry, self._random))

    def _store(self, new: Tenant) -> None:
        if new != self.tenant:
            self._journal.tenant.put(new, self._clock.time())
            self.tenant = new

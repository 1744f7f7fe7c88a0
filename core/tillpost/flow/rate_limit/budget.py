"""The request budget of an API key: at most `rate` requests in any sliding second.

What counts is when requests arrive at the destination, which nobody here sees. A request arrives after it was let go
and before its answer comes. It counts as arrived when its answer came, less the time the fastest exchange took.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import attrs

from tillpost.flow.leases import SharedBudget
from tillpost.flow.rate_limit.sliding_window import AHEAD, SIZE, Cells, MemoryCells, SlidingWindow
from tillpost.flow.retry_policy import BACKLOG_TURN
from tillpost.journal import RateFile
from tillpost.plugin import Budget, Secret

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.flow")

_BLOCKS = 1000
"""Requests a second above which they are counted in blocks: no destination counts so many so exactly."""
_BLOCK_VALID = 0.005
"""Seconds within which a block is used; the rest of it expires."""
_IN_BLOCK = float("-inf")
"""Stands for the moment at which a request of a block was let go, which is not needed."""
_RESERVE = 0.3
"""The part of the rate that must be free beside a request that takes leftovers: no live one waits for it."""
_LONGEST_REST = 5.0
"""Seconds after which such a request waits in the queue as one of the backlog, so that what was begun ends."""
_LONGEST_SLEEP, _SHORTEST_SLEEP = 0.1, 0.0001
"""Seconds between two checks: an answer may make room sooner than was expected when its request was let go."""

_thread = threading.local()


@contextmanager
def live_requests(live: bool) -> Iterator[None]:
    """Inside the block, requests of this thread are for a live receipt (True) or for the backlog.

    Kept by thread instead of passed along: plugins make the requests, and know nothing of a backlog.
    """
    _thread.live = live
    try:
        yield
    finally:
        _thread.live = False


@contextmanager
def leftover_requests(share: float) -> Iterator[None]:
    """Inside the block, requests of this thread take what all others leave, and at most this share of the rate."""
    _thread.share, _thread.patient = share, True
    try:
        yield
    finally:
        _thread.share = 0.0


def takes_leftovers() -> bool:
    """Whether requests of this thread take what all others leave."""
    return bool(getattr(_thread, "share", 0.0))


def next_waiter(waiting: Sequence[bool], passed: int) -> int:
    """The index of the waiter that goes next: live ones (True) first, every BACKLOG_TURN-th turn for the backlog.

    passed: how many live ones went while one of the backlog waited.
    """
    wanted = passed < BACKLOG_TURN - 1
    return waiting.index(wanted) if wanted in waiting else 0


class FastestExchange:
    """The shortest time an exchange takes; only time beyond it can have passed before the request arrived."""

    def __init__(self, enough: int = 50, period: int = 1000) -> None:
        """enough: exchanges before a time is used; period: exchanges after which the network may have changed."""
        self._enough, self._period = enough, period
        self._previous = self._shortest = float("inf")
        self._count = 0

    def record(self, seconds: float) -> float:
        """Record how long an exchange took; the shortest time so far, 0 until there were enough."""
        self._count += 1
        self._shortest = min(self._shortest, seconds)
        if self._count > self._period:
            self._previous, self._shortest, self._count = self._shortest, seconds, self._enough
        return min(self._previous, self._shortest) if self._count >= self._enough else 0.0


@attrs.define(eq=False)
class _Waiter:
    live: bool
    wake: threading.Event = attrs.field(factory=threading.Event)
    let_go: float | None = None


class SlidingBudget:
    """At most `rate` requests in any second, in this process and in all that share `cells`.

    A sliding window instead of a token bucket: a full bucket would let the requests of two seconds pass at once
    (Engage contract, rules of conduct: the limit is per second and API key).
    """

    def __init__(
        self,
        rate: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        cells: Cells | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self.rate = rate
        """Requests allowed in any second; a new value holds from now on."""
        self._window = SlidingWindow(cells or MemoryCells(), monotonic)
        self._shared = cells
        self._fastest = FastestExchange()
        self._waiting: list[_Waiter] = []
        self._has_leader = False
        self._live_passed = 0
        self._block, self._block_until = 0, 0.0
        self._leftover_due = 0.0
        """The moment before which no request takes a leftover (monotonic)."""

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until one more request is allowed; the block is the request and its answer."""
        let_go = self._wait()
        try:
            yield
        finally:
            if let_go > _IN_BLOCK:
                self._record_answer(let_go)

    def slow(self, seconds: float) -> None:
        """Let no request pass for so many seconds: the destination has answered that there were too many."""
        with self._lock:
            self._block = 0
            self._on_window(lambda window: window.block(seconds))

    def close(self) -> None:
        """No longer count together with other processes."""
        with self._lock:
            if self._shared is not None:
                self._shared.close()

    def _wait(self) -> float:
        """Wait for this thread's turn; the moment at which it came."""
        if takes_leftovers() and _thread.patient and (moment := self._wait_for_leftover(_thread.share)) is not None:
            return moment
        with self._lock:
            if not self._waiting:
                taken, moment = self._take()
                if taken:
                    return moment
            own = _Waiter(getattr(_thread, "live", False))
            self._waiting.append(own)
            leads, self._has_leader = not self._has_leader, True
        if not leads:
            own.wake.wait()
        return self._lead(own) if own.let_go is None else own.let_go

    def _wait_for_leftover(self, share: float) -> float | None:
        """The moment at which nobody else wanted a request and enough were left; None after _LONGEST_REST."""
        end = self._monotonic() + max(_LONGEST_REST, 2.0 / (self.rate * share))
        while True:
            with self._lock:
                now = self._monotonic()
                if not self._waiting and now >= self._leftover_due:
                    taken, moment = self._take_leftover()
                    if taken:
                        self._leftover_due = moment + 1.0 / (self.rate * share)
                        return moment
                wake = max(self._leftover_due, now + 1.0 / self.rate)
            if now >= end:
                _thread.patient = False
                return None
            self._sleep(min(max(wake - now, _SHORTEST_SLEEP), _LONGEST_SLEEP))

    def _take_leftover(self) -> tuple[bool, float]:
        rate = self.rate
        kept = max(1, int(rate * _RESERVE)) if rate > 1 else 0
        taken, moment = self._on_window(lambda window: window.take(rate, AHEAD, kept=kept))
        return taken > 0, moment

    def _lead(self, own: _Waiter) -> float:
        """One thread sleeps for all that wait: it lets them go, each in its turn, until its own turn comes."""
        while True:
            with self._lock:
                taken, moment = self._take()
                if taken:
                    chosen = self._next()
                    chosen.let_go = moment
                    if chosen is not own:
                        chosen.wake.set()
                        continue
                    if self._waiting:
                        self._waiting[0].wake.set()  # without a moment: it leads from now on
                    else:
                        self._has_leader = False
                    return moment
                left = moment - self._monotonic()
            self._sleep(min(max(left, _SHORTEST_SLEEP), _LONGEST_SLEEP))

    def _next(self) -> _Waiter:
        chosen = self._waiting.pop(next_waiter([waiter.live for waiter in self._waiting], self._live_passed))
        backlog_waits = any(not waiter.live for waiter in self._waiting)
        self._live_passed = self._live_passed + 1 if chosen.live and backlog_waits else 0
        return chosen

    def _take(self) -> tuple[bool, float]:
        """Whether one may go; the moment at which it was let go (_IN_BLOCK within a block), or when to check again."""
        if self._block and self._monotonic() < self._block_until:
            self._block -= 1
            return True, _IN_BLOCK
        rate = self.rate
        block = max(1, int(rate) // _BLOCKS)
        ahead = AHEAD if block == 1 else _BLOCK_VALID
        taken, moment = self._on_window(lambda window: window.take(rate, ahead, block))
        self._block, self._block_until = max(0, taken - 1), moment + ahead
        return taken > 0, _IN_BLOCK if taken and block > 1 else moment

    def _record_answer(self, let_go: float) -> None:
        with self._lock:
            now = self._monotonic()
            fastest = self._fastest.record(now - let_go)
            self._on_window(lambda window: window.redate(let_go + AHEAD, now - fastest))

    def _on_window(self, work: Callable[[SlidingWindow], _T]) -> _T:
        try:
            return work(self._window)
        except OSError as error:
            if self._shared is None:
                raise
            _log.warning(
                "%s: %s; the request rate is kept within this process alone until its next start, whatever others with"
                " the same API key send",
                self._shared,
                error.strerror or error,
            )
        self._shared = None
        self._window = SlidingWindow(MemoryCells(), self._monotonic)
        self._window.take(self.rate, 0.0, most=int(self.rate))  # what others sent in the last second is not known
        return work(self._window)


class Budgets:
    """One budget for each API key, shared by the pipelines that use it; the smallest of their rates holds.

    folder: where processes that share a key count together, in a file named by the key's digest; None: they do not.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, SharedBudget] = {}
        self._rates: dict[str, list[float]] = {}
        """By key: the rates of the pipelines that use it."""

    def __call__(self, key: Secret, rate: float) -> Budget:
        """The budget of this key."""
        digest = _digest(key)
        with self._lock:
            known = self._known.get(digest)
            if known is None:
                # The file has a dot in its name, so no pipeline's folder has the same.
                file = None if self._folder is None else RateFile(self._folder / f"{digest[:32]}.rate", SIZE)
                known = self._known[digest] = SlidingBudget(rate, cells=file)
            rates = self._rates.setdefault(digest, [])
            rates.append(rate)
            known.rate = min(rates)
            return known

    def remove(self, key: Secret, rate: float) -> None:
        """A pipeline that asked for this rate no longer uses the key."""
        digest = _digest(key)
        with self._lock:
            rates = self._rates[digest]
            rates.remove(rate)
            if rates:  # the last rate stays, for calls that are still in flight
                self._known[digest].rate = min(rates)

    def close(self) -> None:
        """Close the files. A request that is still under way opens its file again."""
        for budget in self._known.values():
            budget.close()


class PipelineBudgets:
    """The budgets of one pipeline. A reload that is refused, or a pipeline that ends, must not slow others down."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._added: list[tuple[Secret, float]] = []

    def __call__(self, key: Secret, rate: float) -> Budget:
        """The budget of this key."""
        budget = self._budgets(key, rate)
        self._added.append((key, rate))
        return budget

    def release(self) -> None:
        """The rates of this pipeline no longer count. A second call changes nothing."""
        while self._added:
            self._budgets.remove(*self._added.pop())


def _digest(key: Secret) -> str:
    return hashlib.sha256(key.reveal().encode()).hexdigest()

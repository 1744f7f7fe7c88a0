"""The request rate of one API key: never more than allowed in any sliding second, and no less where there is work.

What counts is when requests arrive at the destination, which nobody here sees. It is known that one arrives after it
was
let go and before its answer: it counts as arrived when its answer came, less the time the fastest exchange took.
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

from tillpost.flow.rate_limit.sliding_window import AHEAD, SIZE, Cells, MemoryCells, SlidingWindow
from tillpost.flow.retry_policy import BACKLOG_TURN
from tillpost.journal import RateFile
from tillpost.plugin import Budget, Secret

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.flow")

_BLOCKS = 1000
"""Requests a second beyond which they are counted in blocks: no destination counts so many so exactly."""
_VALID = 0.005
"""Seconds within which a block is used or given up."""
_IN_BLOCK = float("-inf")
"""When a request of a block was let go: of no interest."""
_LONGEST_SLEEP, _SHORTEST_SLEEP = 0.1, 0.0001
"""Seconds between two looks: an answer makes room sooner than was to be expected when its request was let go."""

_work = threading.local()


@contextmanager
def live_requests(live: bool) -> Iterator[None]:
    """Requests of this thread inside the block are for a receipt just sold, or for the backlog.

    By thread and not an argument of each request: plugins make the requests, and know nothing of a backlog.
    """
    _work.live = live
    try:
        yield
    finally:
        _work.live = False


def first(waiting: Sequence[bool], passed: int) -> int:
    """Which of those that wait goes next, in order of arrival: live (True) first, with a floor for the backlog.

    passed: how many live ones went before one of the backlog that waits.
    """
    wanted = passed < BACKLOG_TURN - 1
    return waiting.index(wanted) if wanted in waiting else 0


class FastestExchange:
    """The least time an exchange takes; only what is beyond it may have been spent on the way to the destination."""

    def __init__(self, enough: int = 50, period: int = 1000) -> None:
        """enough: exchanges before anything is believed; period: after so many of them the way may have changed."""
        self._enough, self._period = enough, period
        self._before = self._least = float("inf")
        self._seen = 0

    def saw(self, seconds: float) -> float:
        """After an exchange: the least time, itself included."""
        self._seen += 1
        self._least = min(self._least, seconds)
        if self._seen > self._period:
            self._before, self._least, self._seen = self._least, seconds, self._enough
        return min(self._before, self._least) if self._seen >= self._enough else 0.0


@attrs.define(eq=False)
class _Waiter:
    live: bool
    turn: threading.Event = attrs.field(factory=threading.Event)
    let_go: float | None = None


class SlidingBudget:
    """At most `rate` requests in any second, in this process and in all that share `cells`.

    A sliding window instead of a token bucket: a full bucket would let two seconds' worth pass at once
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
        self._rate = rate
        self._window = SlidingWindow(cells or MemoryCells(), monotonic)
        self._shared = cells
        self._fastest = FastestExchange()
        self._waiting: list[_Waiter] = []
        self._led = False
        self._passed = 0
        self._held, self._held_until = 0, 0.0

    def set_rate(self, rate: float) -> None:
        """So many requests in any second from now on."""
        with self._lock:
            self._rate = rate

    @property
    def rate(self) -> float:
        """Requests allowed in any second."""
        return self._rate

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until one more request is allowed; the block is the request and its answer."""
        let_go = self._wait()
        try:
            yield
        finally:
            if let_go > _IN_BLOCK:
                self._answered(let_go)

    def slow(self, seconds: float) -> None:
        """Let nothing pass for so long: the destination has said that it is too much."""
        with self._lock:
            self._held = 0
            self._on_window(lambda window: window.block(seconds))

    def close(self) -> None:
        """No longer count along with other processes."""
        with self._lock:
            if self._shared is not None:
                self._shared.close()

    def _wait(self) -> float:
        """Until it is our turn; when that was."""
        with self._lock:
            if not self._waiting:
                taken, moment = self._take()
                if taken:
                    return moment
            me = _Waiter(getattr(_work, "live", False))
            self._waiting.append(me)
            leads, self._led = not self._led, True
        if not leads:
            me.turn.wait()
        return self._lead(me) if me.let_go is None else me.let_go

    def _lead(self, me: _Waiter) -> float:
        """One thread waits for all: it lets them go, each in its turn, until it is let go itself."""
        while True:
            with self._lock:
                taken, moment = self._take()
                if taken:
                    chosen = self._next()
                    chosen.let_go = moment
                    if chosen is not me:
                        chosen.turn.set()
                        continue
                    if self._waiting:
                        self._waiting[0].turn.set()  # without a moment: it leads from now on
                    else:
                        self._led = False
                    return moment
                left = moment - self._monotonic()
            self._sleep(min(max(left, _SHORTEST_SLEEP), _LONGEST_SLEEP))

    def _next(self) -> _Waiter:
        chosen = self._waiting.pop(first([each.live for each in self._waiting], self._passed))
        self._passed = self._passed + 1 if chosen.live and any(not each.live for each in self._waiting) else 0
        return chosen

    def _take(self) -> tuple[bool, float]:
        """Whether one may go; when it was let go (_IN_BLOCK: within a block), else when to look again."""
        if self._held and self._monotonic() < self._held_until:
            self._held -= 1
            return True, _IN_BLOCK
        block = max(1, int(self._rate) // _BLOCKS)
        ahead = AHEAD if block == 1 else _VALID
        taken, moment = self._on_window(lambda window: window.take(self._rate, ahead, block))
        self._held, self._held_until = max(0, taken - 1), moment + ahead
        return taken > 0, _IN_BLOCK if taken and block > 1 else moment

    def _answered(self, let_go: float) -> None:
        with self._lock:
            now = self._monotonic()
            fastest = self._fastest.saw(now - let_go)
            self._on_window(lambda window: window.redate(let_go + AHEAD, now - fastest))

    def _on_window(self, work: Callable[[SlidingWindow], _T]) -> _T:
        try:
            return work(self._window)
        except OSError as error:
            if self._shared is None:
                raise
            _log.warning(
                "%s: %s; the request rate is kept within this process alone until it is started again: other processes"
                " with the same API key are not seen",
                self._shared,
                error.strerror or error,
            )
        self._shared = None
        self._window = SlidingWindow(MemoryCells(), self._monotonic)
        self._window.take(self._rate, 0.0, most=int(self._rate))  # what others let go in the last second is not known
        return work(self._window)


class Budgets:
    """One budget a key, whichever pipelines use it; the smallest rate any of them names holds.

    folder: where processes that share a key count together, in a file named by the key's digest; None: nowhere.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, SlidingBudget] = {}
        self._named: dict[str, list[float]] = {}
        """By key: the rates that are named."""

    def __call__(self, key: Secret, rate: float) -> Budget:
        """The budget of this key."""
        return self._name(hashlib.sha256(key.reveal().encode()).hexdigest(), rate)

    def for_pipeline(self) -> PipelineBudgets:
        """For one pipeline: the same budgets, of which it can take back what it has named."""
        return PipelineBudgets(self._name, self._take_back)

    def _name(self, digest: str, rate: float) -> Budget:
        with self._lock:
            known = self._known.get(digest)
            if known is None:
                # No pipeline's folder has such a name: it has a dot.
                file = None if self._folder is None else RateFile(self._folder / f"{digest[:32]}.rate", SIZE)
                known = self._known[digest] = SlidingBudget(rate, cells=file)
            named = self._named.setdefault(digest, [])
            named.append(rate)
            known.set_rate(min(named))
            return known

    def _take_back(self, digest: str, rate: float) -> None:
        with self._lock:
            named = self._named[digest]
            named.remove(rate)
            if named:  # else it holds for the calls that are still in flight
                self._known[digest].set_rate(min(named))

    def close(self) -> None:
        """The pipelines have ended; a request that is still under way opens its file again."""
        for budget in self._known.values():
            budget.close()


class PipelineBudgets:
    """The budgets one pipeline asks for. A reload that is refused, or a pipeline that ends, must not narrow others."""

    def __init__(self, name: Callable[[str, float], Budget], take_back: Callable[[str, float], None]) -> None:
        self._name, self._take_back = name, take_back
        self._named: list[tuple[str, float]] = []

    def __call__(self, key: Secret, rate: float) -> Budget:
        """The budget of this key."""
        digest = hashlib.sha256(key.reveal().encode()).hexdigest()
        budget = self._name(digest, rate)
        self._named.append((digest, rate))
        return budget

    def release(self) -> None:
        """The rates of this pipeline hold no longer; a second time changes nothing."""
        while self._named:
            self._take_back(*self._named.pop())

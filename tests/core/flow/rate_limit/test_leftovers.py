"""What verification takes of the rate: only what nobody else wants, and never so that a live receipt waits for it."""

from __future__ import annotations

import threading
import time as real
from collections.abc import Callable
from random import Random

import attrs
import pytest

from tillpost.flow.rate_limit import budget as module
from tillpost.flow.rate_limit.budget import SlidingBudget, leftover_requests, live_requests, takes_leftovers
from tillpost.flow.rate_limit.pace import Pace
from tillpost.flow.rate_limit.sliding_window import MemoryCells
from tillpost.plugin import Budget, Secret

RATE, SHARE = 50.0, 0.2
TICK = 0.0005
EXCHANGE = 0.05
"""Seconds from a request to its answer."""


@attrs.define
class Result:
    """delays: of live receipts, from sale to answer. sent: moments of all requests. proved: those of verification."""

    delays: list[float] = attrs.field(factory=list)
    sent: list[float] = attrs.field(factory=list)
    proved: int = 0

    @property
    def mean(self) -> float:
        return sum(self.delays) / len(self.delays)

    def worst_second(self) -> int:
        worst, start = 0, 0
        for end, moment in enumerate(self.sent):
            while self.sent[start] <= moment - 1.0:
                start += 1
            worst = max(worst, end - start + 1)
        return worst


def simulate(load: float, proving: bool, seconds: float = 60.0) -> Result:
    """Live receipts come at random, so many a second; verification always has more to ask. Time is injected."""
    now = 1000.0
    budget = SlidingBudget(RATE, lambda: now, lambda _: None, MemoryCells())
    chance, result = Random(f"{load}"), Result()
    waiting: list[float] = []
    answers: list[float] = []
    next_sale = now + chance.expovariate(load)
    while now < 1000.0 + seconds:
        while answers and answers[0] + EXCHANGE <= now:
            budget._record_answer(answers.pop(0))
        while next_sale <= now:
            waiting.append(next_sale)
            next_sale += chance.expovariate(load)
        if waiting:
            taken, _ = budget._take()
            if taken:
                result.delays.append(now - waiting.pop(0) + EXCHANGE)
        else:
            taken = False
            if proving and now >= budget._leftover_due:
                taken, moment = budget._take_leftover()
                if taken:
                    budget._leftover_due = moment + 1.0 / (RATE * SHARE)
                    result.proved += 1
        if taken:
            result.sent.append(now)
            answers.append(now)
        now += TICK
    return result


@pytest.mark.parametrize("load", [2.0, 10.0, 25.0, 35.0, 40.0, 45.0, 48.0])
def test_proving_costs_no_live_receipt_a_twentieth_of_its_delay_and_no_request_above_the_rate(
    load: float, measured: Callable[[str], None]
) -> None:
    alone, beside = simulate(load, False), simulate(load, True)
    more = beside.mean / alone.mean - 1.0
    measured(
        f"{load:g} live/s of {RATE:g}: delay {alone.mean * 1000:.1f} ms alone, {beside.mean * 1000:.1f} ms beside"
        f" {beside.proved / 60:.1f} readings/s ({more:+.1%}), worst second {beside.worst_second()}"
    )
    assert more <= 0.05
    assert beside.worst_second() <= RATE
    assert beside.proved <= RATE * SHARE * 60 + 1
    if load <= 10:
        assert beside.proved >= 0.95 * RATE * SHARE * 60, "it has its share while there is room"


def test_a_leftover_waits_while_others_wait_and_is_not_counted_as_waiting() -> None:
    budget = SlidingBudget(5.0)
    pace = Pace(lambda key, rate: budget)
    own: Budget = pace.budget(Secret("k"), 5.0)
    order: list[str] = []

    def ask(kind: str) -> None:
        if kind == "leftover":
            with leftover_requests(1.0):
                assert takes_leftovers()
                with own.request():
                    order.append(kind)
        else:
            with live_requests(True), own.request():
                order.append(kind)

    for _ in range(5):  # the window is full now
        ask("live")
    threads = [threading.Thread(target=ask, args=(kind,)) for kind in ("leftover", "live", "live")]
    for thread in threads:
        thread.start()
        real.sleep(0.02)
    assert pace.waiting <= 2
    for thread in threads:
        thread.join(30)
    assert order[-1] == "leftover"
    assert (pace.requests, pace.leftover_requests) == (8, 1)
    assert not takes_leftovers()


def test_a_reading_that_was_begun_ends_though_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while its requests wait like those of the backlog: a stop must not wait for a quiet hour."""
    monkeypatch.setattr(module, "_LONGEST_REST", 0.0)
    now, slept = 1000.0, 0

    def sleep(seconds: float) -> None:
        nonlocal now, slept
        now += seconds
        slept += 1
        with budget._lock:  # others take all there is
            while budget._take()[0]:
                pass

    budget = SlidingBudget(10.0, lambda: now, sleep, MemoryCells())
    with budget._lock:
        while budget._take()[0]:
            pass
    with leftover_requests(1.0):
        assert budget._wait_for_leftover(1.0) is None
        assert module._thread.patient is False
    with leftover_requests(1.0):
        assert module._thread.patient is True

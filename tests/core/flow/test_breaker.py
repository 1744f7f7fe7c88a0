"""The breaker asks the probe whose trouble it is, whatever the order of answers and failures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lines import Ahead
from tests.support.memory import memory_folder
from tillpost.errors import PluginError
from tillpost.flow.breaker import DEGRADED, ONLINE, PAUSED, Breaker
from tillpost.flow.limits import RetryPolicy
from tillpost.journal import Journal
from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Outcome, Refused, Throttled

SICK, LOST = NotSent(reason="answered 500", status=500), MaybeSent(reason="no answer")
WRONG = Misconfigured(reason="answered 403", status=403)
FAILURES: list[Outcome] = [SICK, LOST, WRONG]
ANSWERS: list[Outcome] = [Delivered(status=202), Refused(reason="answered 400"), Throttled(reason="answered 429")]


def with_breaker(check: Callable[[Breaker, Journal], None]) -> None:
    with memory_folder() as folder:
        journal = Journal(folder / "state")
        try:
            check(Breaker(journal, RetryPolicy(), Ahead(), Random(1)), journal)
        finally:
            journal.close()


@given(st.lists(st.sampled_from([*FAILURES, *ANSWERS]), max_size=40))
def test_b34_while_the_probe_answers_no_order_of_failures_moves_the_state(outcomes: list[Outcome]) -> None:
    """So it cannot flap either, and nothing is charged to all."""

    def check(breaker: Breaker, journal: Journal) -> None:
        probes = [0]

        def probe() -> Outcome:
            probes[0] += 1
            return Delivered()

        breaker.use_probe(probe)
        for outcome in outcomes:
            recorded = breaker.record(outcome)
            assert breaker.allows_requests()
            assert not isinstance(recorded, Misconfigured), "it would be tried again at once, for ever"
            assert recorded == outcome or outcome == WRONG
        assert breaker.answers()
        assert [state for _, state, _ in journal.destination.history()] == []
        failures = sum(outcome in (SICK, LOST) for outcome in outcomes)
        assert probes[0] <= failures // 3 + outcomes.count(WRONG) + 1

    with_breaker(check)


@given(st.lists(st.sampled_from([SICK, LOST]), min_size=3, max_size=10))
def test_an_outage_is_known_after_three_failures_and_the_probes(outcomes: list[Outcome]) -> None:
    def check(breaker: Breaker, _: Journal) -> None:
        breaker.use_probe(lambda: SICK)
        for number, outcome in enumerate(outcomes, start=1):
            breaker.record(outcome)
            assert breaker.allows_requests() == (number < 3)
        assert breaker.destination.state == DEGRADED

    with_breaker(check)


def _broken() -> Outcome:
    raise PluginError("memory", "probe raised SystemExit")


@pytest.mark.parametrize("probe", [lambda: WRONG, lambda: SICK, _broken], ids=["refused", "silent", "broken"])
def test_a_key_that_the_probe_cannot_use_either_pauses_the_pipeline_at_once(probe: Callable[[], Outcome]) -> None:
    def check(breaker: Breaker, _: Journal) -> None:
        breaker.use_probe(probe)
        assert breaker.record(WRONG) == WRONG
        assert breaker.destination.state == PAUSED

    with_breaker(check)


def test_sixteen_threads_that_fail_at_once_ask_the_probe_once() -> None:
    def check(breaker: Breaker, _: Journal) -> None:
        probes: list[int] = []
        asked, go_on = threading.Event(), threading.Event()

        def probe() -> Outcome:
            probes.append(1)
            asked.set()
            assert go_on.wait(30)
            return SICK

        breaker.use_probe(probe)
        threads = [threading.Thread(target=breaker.record, args=(SICK,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        assert asked.wait(30)
        go_on.set()
        for thread in threads:
            thread.join(30)
        assert probes == [1]
        assert breaker.destination.state == DEGRADED

    with_breaker(check)


def test_the_state_is_asked_for_only_after_a_failure() -> None:
    def check(breaker: Breaker, _: Journal) -> None:
        def probe() -> Any:
            raise AssertionError("nobody was to ask")

        breaker.use_probe(probe)
        assert breaker.answers()
        breaker.record(SICK)
        breaker.record(Delivered())
        assert breaker.answers()
        assert breaker.destination.state == ONLINE

    with_breaker(check)

"""The states of an outage: the transitions are pure functions of the outcomes."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import attrs

from tillpost.flow import breaker
from tillpost.flow.fallback import outage
from tillpost.flow.limits import RetryPolicy
from tillpost.journal import Destination
from tillpost.model import Misconfigured, NotSent

RETRY = RetryPolicy(
    attempts=6,
    wait_initial=timedelta(seconds=10),
    wait_max=timedelta(seconds=300),
    confirm_after=timedelta(minutes=20),
)
DOWN = NotSent(reason="connection refused")


def fail(destination: Destination, times: int, now: float = 100.0) -> Destination:
    for _ in range(times):
        destination = breaker.after_failure(destination, DOWN, now, RETRY, Random(1))
    return destination


def test_one_lost_call_is_no_outage() -> None:
    destination = fail(Destination(), 1)
    assert destination.state == breaker.ONLINE
    assert breaker.is_reachable(destination)
    assert answer(destination, now=101.0).failures == 0


def test_three_failures_in_a_row_open_the_breaker_and_the_clock_runs_from_the_first() -> None:
    destination = fail(fail(Destination(), 1, now=100.0), 2, now=105.0)
    assert destination.state == breaker.DEGRADED
    assert destination.unreachable_since == 100.0
    assert destination.probe_due > 105.0
    assert not breaker.is_reachable(destination)


def test_fallback_comes_after_the_configured_time_and_not_before() -> None:
    destination = fail(Destination(), 3)
    assert outage.start_fallback(destination, 100.0 + 899, 900.0).state == breaker.DEGRADED
    later = outage.start_fallback(destination, 100.0 + 900, 900.0)
    assert (later.state, later.since) == (breaker.FALLBACK, 1000.0)


def answer(destination: Destination, *, now: float = 2001.0, files: bool = False, times: int = 1) -> Destination:
    for _ in range(times):
        destination = breaker.after_answer(destination, now, files, RETRY, Random(1))
    return destination


def test_three_answers_in_a_row_end_the_fallback_and_open_files_make_it_catch_up() -> None:
    """Hysteresis: one answer of a destination that is about to fail again does not send it the backlog."""
    destination = outage.start_fallback(fail(Destination(), 3), 2000.0, 900.0)
    assert answer(destination, times=3).state == breaker.ONLINE
    back = answer(destination, files=True, times=3)
    assert (back.state, back.unreachable_since, back.failures) == (breaker.CATCHING_UP, None, 0)


def test_until_then_it_stays_in_fallback_says_why_and_asks_soon() -> None:
    destination = answer(outage.start_fallback(fail(Destination(), 3), 2000.0, 900.0), times=2)
    assert (destination.state, destination.since, destination.answers) == (breaker.FALLBACK, 2000.0, 2)
    assert "2 of 3" in destination.reason
    assert 2001.0 < destination.probe_due <= 2011.0
    assert destination.unreachable_since == 100.0


def test_a_failure_among_the_answers_makes_them_count_from_the_start() -> None:
    destination = answer(outage.start_fallback(fail(Destination(), 3), 2000.0, 900.0), times=2)
    destination = fail(destination, 1, now=2010.0)
    assert (destination.state, destination.answers, destination.reason) == (breaker.FALLBACK, 0, DOWN.reason)
    assert answer(destination, times=2).state == breaker.FALLBACK
    assert answer(destination, times=3).state == breaker.ONLINE


def test_before_files_are_written_a_single_answer_is_enough() -> None:
    assert answer(fail(Destination(), 3)).state == breaker.ONLINE


def test_catching_up_becomes_confirming_becomes_online() -> None:
    destination = Destination(state=breaker.CATCHING_UP)
    destination = outage.advance(destination, 10.0, to_upload=False, to_confirm=True)
    assert destination.state == breaker.CONFIRMING
    assert outage.advance(destination, 20.0, to_upload=False, to_confirm=False).state == breaker.ONLINE


def test_nothing_progresses_while_the_destination_is_away() -> None:
    destination = fail(Destination(), 3)
    assert outage.advance(destination, 10.0, to_upload=True, to_confirm=True) == destination


def test_a_wrong_key_pauses_and_never_leads_to_fallback() -> None:
    destination = breaker.after_misconfiguration(Destination(), Misconfigured(reason="401"), 100.0, RETRY, Random(1))
    assert (destination.state, destination.unreachable_since) == (breaker.PAUSED, None)
    assert outage.start_fallback(destination, 1e9, 900.0).state == breaker.PAUSED
    assert answer(destination, now=200.0).state == breaker.ONLINE


def test_a_steady_answer_changes_nothing_and_writes_nothing() -> None:
    destination = attrs.evolve(Destination(), state=breaker.ONLINE)
    assert answer(destination, now=5.0) is destination

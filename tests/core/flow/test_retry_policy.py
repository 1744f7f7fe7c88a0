"""The retry policy: the move of a receipt after each outcome, decided without time or I/O."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tillpost.flow.limits import RetryPolicy
from tillpost.flow.retry_policy import backoff, decide
from tillpost.journal import MOVES, State
from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Outcome, Refused, Throttled

RETRY = RetryPolicy(
    attempts=6,
    wait_initial=timedelta(seconds=10),
    wait_max=timedelta(seconds=300),
    confirm_after=timedelta(minutes=20),
)

outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        Delivered(status=200),
        NotSent(reason="connection refused"),
        NotSent(reason="503", retry_after=7.0),
        MaybeSent(reason="no answer"),
        Refused(reason="400"),
        Misconfigured(reason="401"),
        Throttled(reason="429", retry_after=None),
        Throttled(reason="429", retry_after=3.0),
    ]
)


@given(outcome=outcomes, attempts=st.integers(0, 50), now=st.floats(0, 4e9), seed=st.integers())
def test_every_decision_is_an_allowed_move_and_never_due_in_the_past(
    outcome: Outcome, attempts: int, now: float, seed: int
) -> None:
    move = decide(outcome, attempts, RETRY, now, Random(seed))
    assert move.state in MOVES[State.RESOLVED]
    if move.state in (State.WAITING, State.UNCERTAIN):
        assert now <= move.due <= now + 3600


@given(attempts=st.integers(0, 50), seed=st.integers())
def test_a_wrong_key_uses_no_attempt_and_holds_nothing(attempts: int, seed: int) -> None:
    move = decide(Misconfigured(reason="401"), attempts, RETRY, 100.0, Random(seed))
    assert (move.state, move.attempts) == (State.WAITING, attempts)


def test_a_lost_answer_waits_for_the_import_before_anything_is_repeated() -> None:
    move = decide(MaybeSent(reason="reset"), 0, RETRY, 100.0, Random(1))
    assert (move.state, move.due, move.attempts) == (State.UNCERTAIN, 100.0 + 1200, 1)


def test_a_refused_receipt_is_held_with_the_reason() -> None:
    move = decide(Refused(reason="totalGrossPrice is missing"), 2, RETRY, 0.0, Random(1))
    assert (move.state, move.reason) == (State.HELD, "totalGrossPrice is missing")


@given(attempt=st.integers(1, 100), seed=st.integers())
def test_waits_grow_as_engage_recommends_and_stay_below_the_largest(attempt: int, seed: int) -> None:
    span = {1: 10.0, 2: 30.0, 3: 60.0}.get(attempt, 300.0)
    assert 0 < backoff(attempt, RETRY, Random(seed)) <= span


@given(after=st.floats(min_value=0, allow_nan=False), seed=st.integers())
def test_retry_after_wins_over_the_schedule_within_an_hour(after: float, seed: int) -> None:
    seconds = backoff(1, RETRY, Random(seed), after)
    assert min(after, 3600.0) <= seconds <= max(min(after, 3600.0), 10.0)


def test_a_negative_retry_after_is_ignored() -> None:
    assert 0 < backoff(1, RETRY, Random(3), -5.0) <= 10.0

"""The rate budget: what is allowed is used, and no sliding second ever holds more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tillpost.flow.budget import Budgets, SlidingBudget
from tillpost.plugin import Secret


class Time:
    """A clock that only sleeping and the test move."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(rate=st.integers(1, 60), pauses=st.lists(st.floats(0, 0.7), min_size=1, max_size=200))
def test_no_sliding_second_holds_more_than_the_rate(rate: int, pauses: list[float]) -> None:
    time = Time()
    budget = SlidingBudget(rate, time.monotonic, time.sleep)
    sent = []
    for pause in pauses:
        time.now += pause
        budget.take()
        sent.append(time.now)
    for first, last in zip(sent, sent[rate:], strict=False):
        assert last - first >= 1.0 - 1e-9


def test_the_whole_rate_is_used() -> None:
    time = Time()
    budget = SlidingBudget(50, time.monotonic, time.sleep)
    for _ in range(50 * 60):
        budget.take()
    assert 58.9 <= time.now <= 60.0


def test_less_than_one_a_second_is_kept_too() -> None:
    time = Time()
    budget = SlidingBudget(0.5, time.monotonic, time.sleep)
    for _ in range(4):
        budget.take()
    assert 6.0 <= time.now <= 6.1


def test_a_far_side_that_says_too_much_is_left_alone() -> None:
    time = Time()
    budget = SlidingBudget(50, time.monotonic, time.sleep)
    budget.slow(7.0)
    budget.take()
    assert time.now == 7.0


def test_pipelines_with_one_key_share_one_budget() -> None:
    budgets = Budgets()
    assert budgets(Secret("k1"), 50) is budgets(Secret("k1"), 50)
    assert budgets(Secret("k1"), 50) is not budgets(Secret("k2"), 50)


def test_the_smallest_rate_any_pipeline_names_holds_for_all() -> None:
    time = Time()
    budget = SlidingBudget(50, time.monotonic, time.sleep)
    for _ in range(30):
        budget.take()
    budget.narrow(10)
    for _ in range(20):
        budget.take()
    assert time.now >= 2.0

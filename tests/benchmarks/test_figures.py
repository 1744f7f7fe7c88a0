"""The arithmetic of the benchmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.figures import Figure, per_second, ratio, steady_rate, tally

VALUES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=9)


@given(VALUES)
def test_half_of_the_values_lie_on_either_side_of_the_median(values: list[float]) -> None:
    figure = Figure(values)
    assert figure.low <= figure.median <= figure.high
    assert sum(value <= figure.median for value in values) * 2 >= len(values)
    assert sum(value >= figure.median for value in values) * 2 >= len(values)


def test_one_round_that_went_wrong_does_not_move_the_median() -> None:
    assert Figure([4, 5, 6, 5, 4000]).median == 5


def test_a_figure_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a value"):
        Figure([])


def test_a_ratio_is_made_round_by_round() -> None:
    # The machine was twice as slow in the second round, for both.
    figure = ratio([100, 50, 100], [200, 100, 100])
    assert figure.values == (0.5, 0.5, 1.0)


def test_a_round_without_one_of_the_two_is_no_ratio() -> None:
    assert ratio([100, 0, 90], [200, 100, 0]).values == (0.5,)
    with pytest.raises(ValueError, match="needs a value"):
        ratio([1.0], [0.0])


def test_what_did_not_come_is_lost_and_what_came_twice_is_repeated() -> None:
    told = tally(["a", "b", "c"], {"a": 1, "b": 3, "x": 1})
    assert (told.expected, told.lost, told.repeated, told.strange) == (3, 1, 2, 1)


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 4)), st.sets(st.text(max_size=3)))
def test_every_arrival_is_accounted_for_once(seen: dict[str, int], expected: set[str]) -> None:
    told = tally(expected, seen)
    assert told.expected - told.lost + told.strange + told.repeated == sum(seen.values())


def test_the_steady_rate_leaves_out_the_start_and_the_end() -> None:
    steady = [10 + number / 100 for number in range(80)]
    assert steady_rate([*range(10), *steady, *range(20, 30)]) == pytest.approx(100, rel=0.15)
    assert steady_rate([1.0, 2.0]) == 0
    assert steady_rate([]) == 0
    assert steady_rate([5.0] * 100) == 0


def test_arrivals_are_counted_in_the_second_they_came_in() -> None:
    assert per_second([9.0, 10.0, 10.9, 11.0, 12.99, 13.0], start=10.0, seconds=3) == [2, 1, 1]

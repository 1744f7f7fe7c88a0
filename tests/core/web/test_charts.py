"""The charts say what the samples say."""

from __future__ import annotations

import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.support.receipts import accept, found
from tillpost.journal import Journal
from tillpost.web import charts
from tillpost.web.charts import BOTTOM, LEFT, POINTS, RIGHT, TOP, Chart
from tillpost.web.samples import EVERY, KEPT, Sample, Samples

STEPS = st.lists(
    st.tuples(st.floats(0.5, 600), st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**5)),
    max_size=400,
)


def samples(steps: list[tuple[float, int, int, int]]) -> list[Sample]:
    made, at, accepted, delivered = [], 1_000_000.0, 0, 0
    for wait, backlog, more, done in steps:
        at, accepted, delivered = at + wait, accepted + more, delivered + done
        made.append(Sample(at, backlog, accepted, delivered))
    return made


def places(chart: Chart) -> list[tuple[float, float]]:
    return [
        (float(x), float(y)) for line in chart.series for x, y in (point.split(",") for point in line.points.split())
    ]


@given(STEPS)
def test_a_drawing_stays_in_its_frame_and_goes_from_left_to_right(steps: list[tuple[float, int, int, int]]) -> None:
    taken = samples(steps)
    for chart in (charts.backlog(taken), charts.rate(taken)):
        for line in chart.series:
            assert len(line.values) <= POINTS
            assert [at for at, _ in line.values] == sorted(at for at, _ in line.values)
            assert all(0 <= value <= chart.top for _, value in line.values)
        for x, y in places(chart):
            assert LEFT - 0.1 <= x <= RIGHT + 0.1
            assert TOP - 0.1 <= y <= BOTTOM + 0.1
    if taken:
        assert charts.backlog(taken).series[0].last == taken[-1].backlog


def test_the_rate_is_counted_a_minute_and_never_negative() -> None:
    taken = [Sample(0, 5, 10, 5), Sample(60, 5, 40, 20), Sample(180, 5, 30, 140)]
    chart = charts.rate(taken)
    assert [list(line.values) for line in chart.series] == [[(60, 30.0), (180, 0.0)], [(60, 15.0), (180, 60.0)]]
    assert chart.top == 100


def test_a_moment_since_the_last_sample_is_no_rate() -> None:
    taken = [Sample(0, 0, 0, 0), Sample(60, 0, 60, 60), Sample(60.1, 0, 70, 70)]
    assert charts.rate(taken).series[0].last == 60.0


class Minutes:
    """A clock whose waits are over at once, some of them."""

    def __init__(self, waits: int) -> None:
        self.now, self.left = 1000.0, waits

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.now += seconds
        self.left -= 1
        return self.left < 0


def test_a_sample_a_minute_is_kept_for_a_day(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    accept(journal, found(number="1"))
    clock = Minutes(KEPT + 5)
    taken = Samples(lambda: {"shop": journal}, clock)
    taken.keep_taking(threading.Event())
    kept = taken.of("shop")
    assert len(kept) == KEPT + 1
    assert kept[1].at - kept[0].at == EVERY
    assert kept[-1].at == clock.now
    assert kept[-1].backlog == kept[-1].accepted == 1
    journal.close()

"""The charts as numbers for an SVG: the backlog, and receipts accepted and delivered a minute."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, pairwise

import attrs

from tillpost.web.samples import Sample

WIDTH, HEIGHT = 360.0, 130.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 352.0, 10.0, 106.0
POINTS = 180
"""Points of a line at most: as many as a screen shows."""
ROWS = 60
"""Rows of the table below a chart."""
_SHORT = 15.0
"""Seconds between two samples below which a rate is not shown."""


@attrs.frozen
class Series:
    """One line: its name, its values by time, and its points in the SVG."""

    name: str
    values: Sequence[tuple[float, float]]
    points: str

    @property
    def last(self) -> float:
        """The latest value."""
        return self.values[-1][1] if self.values else 0.0


@attrs.frozen
class Chart:
    """A chart. first, last: the times at its edges; top: the value at its upper edge."""

    title: str
    series: Sequence[Series]
    first: float
    last: float
    top: float

    @property
    def rows(self) -> list[tuple[float, list[float]]]:
        """As a table of at most ROWS rows, the latest first."""
        rows = [
            (points[0][0], [value for _, value in points])
            for points in zip(*(s.values for s in self.series), strict=True)
        ]
        return rows[: -ROWS - 1 : -1]


def backlog(samples: Sequence[Sample]) -> Chart:
    """Receipts not settled, over time."""
    thin = _thinned(samples)
    return _chart("Backlog", {"not settled": [(each.at, float(each.backlog)) for each in thin]})


def rate(samples: Sequence[Sample]) -> Chart:
    """Receipts a minute between two samples; never negative, though retention removes receipts."""
    thin = _thinned(samples)
    if len(thin) > 2 and thin[-1].at - thin[-2].at < _SHORT:
        thin = thin[:-1]
    steps = [(old, new, (new.at - old.at) / 60) for old, new in pairwise(thin) if new.at > old.at]
    return _chart(
        "Receipts a minute",
        {
            "accepted": [(new.at, max(0, new.accepted - old.accepted) / span) for old, new, span in steps],
            "delivered": [(new.at, max(0, new.delivered - old.delivered) / span) for old, new, span in steps],
        },
    )


def _thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    step = max(1, -(-len(samples) // POINTS))
    return samples[::-1][::step][::-1]


def _chart(title: str, lines: dict[str, list[tuple[float, float]]]) -> Chart:
    points = [point for line in lines.values() for point in line]
    first = min((at for at, _ in points), default=0.0)
    last = max((at for at, _ in points), default=0.0)
    top = _round_up(max((value for _, value in points), default=0.0))
    span = last - first or 1.0
    series = [Series(name, values, _points(values, first, span, top)) for name, values in lines.items()]
    return Chart(title, series, first, last, top)


def _points(values: list[tuple[float, float]], first: float, span: float, top: float) -> str:
    if len(values) == 1:  # one value alone is a line across
        values = [(first, values[0][1]), (first + span, values[0][1])]
    return " ".join(
        f"{LEFT + (at - first) / span * (RIGHT - LEFT):.1f},{BOTTOM - value / top * (BOTTOM - TOP):.1f}"
        for at, value in values
    )


def _round_up(value: float) -> float:
    """The next of 1, 2 or 5 times a power of ten; 1 at least."""
    return next(step * 10.0**power for power in count() for step in (1, 2, 5) if value <= step * 10.0**power)

"""The chart of the day: receipts by route over time, the fallback files, and catching up. SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from tillpost_demo.outcome import Outcome, moment

_WIDTH, _LEFT, _RIGHT = 960, 52, 16
_BARS_TOP, _BARS_HEIGHT = 34, 150
_LANE, _GAP, _CURVE_HEIGHT = 18, 46, 170
_BINS = 60


class Picture:
    """One horizontal time axis for three parts below each other."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        rows = [row for row in outcome.receipts if row["state"] != "skipped"]
        self._accepted = sorted(at for row in rows if (at := moment(row["accepted_at"])) is not None)
        # As the sandbox received them, by its own clock.
        self._arrived = {
            route: sorted(at for came, by in outcome.arrivals if by == route and (at := moment(came)) is not None)
            for route in ("api", "file")
        }
        self._began = min([outcome.began, *self._accepted])
        self._span = max(outcome.ended - self._began, 1.0)
        self._lanes_top = _BARS_TOP + _BARS_HEIGHT + _GAP
        self._curve_top = self._lanes_top + _LANE * max(len(self._outcome.files), 1) + _GAP
        self._bottom = self._curve_top + _CURVE_HEIGHT

    def svg(self) -> str:
        """The SVG element; its colours are the page's CSS classes."""
        parts = [*self._outage(), *self._bars(), *self._lanes(), *self._curves(), *self._axis()]
        title = "Receipts by route over time, with the outage, its files and catching up"
        size = f"{_WIDTH} {self._bottom + 44}"
        return f'<svg viewBox="0 0 {size}" role="img" aria-label="{title}">{"".join(parts)}</svg>'

    def _x(self, at: float) -> float:
        inside = min(max(at - self._began, 0.0), self._span)
        return round(_LEFT + inside / self._span * (_WIDTH - _LEFT - _RIGHT), 1)

    def _outage(self) -> list[str]:
        left, right = self._x(self._outcome.outage_from), self._x(self._outcome.outage_to)
        # Not beyond the edges, however near to one the outage was.
        middle = min(max((left + right) / 2, _LEFT + 50), _WIDTH - _RIGHT - 50)
        return [
            f'<rect class="outage" x="{left}" y="{_BARS_TOP - 14}" width="{max(right - left, 1):.1f}" '
            f'height="{self._bottom - _BARS_TOP + 14}"/>',
            _text(middle, _BARS_TOP + 15, "the API is away", "outage-label", "middle"),
        ]

    def _bars(self) -> list[str]:
        width = self._span / _BINS
        stacks = [[0, 0] for _ in range(_BINS)]
        for index, route in enumerate(("api", "file")):
            for at in self._arrived[route]:
                stacks[min(int(max(at - self._began, 0) / width), _BINS - 1)][index] += 1
        most = max(max(map(sum, stacks)), 1)
        base = _BARS_TOP + _BARS_HEIGHT
        parts = self._scale("receipts arriving at Engage", _BARS_TOP, _BARS_HEIGHT, most)
        across = (_WIDTH - _LEFT - _RIGHT) / _BINS
        for number, stack in enumerate(stacks):
            top = float(base)
            for count, route in zip(stack, ("api", "file"), strict=True):
                if count:
                    height = count / most * _BARS_HEIGHT
                    top -= height
                    start = number * width
                    tip = f"{count} by {'API' if route == 'api' else 'file'}, second {start:.1f} to {start + width:.1f}"
                    parts.append(
                        f'<rect class="{route}" x="{_LEFT + number * across + 0.75:.1f}" y="{top:.1f}" '
                        f'width="{across - 1.5:.1f}" height="{height:.1f}"><title>{tip}</title></rect>'
                    )
        return parts

    def _lanes(self) -> list[str]:
        parts = [_text(_LEFT, self._lanes_top - 10, "files: written, uploaded, read by Engage, confirmed", "heading")]
        if not self._outcome.files:
            parts.append(_text(_LEFT, self._lanes_top + 8, "none", "small"))
        for number, row in enumerate(self._outcome.files):
            parts += self._lane(row, self._lanes_top + number * _LANE + 8)
        return parts

    def _lane(self, row: Mapping[str, Any], y: float) -> list[str]:
        marks = [(step, at) for step in ("written", "uploaded", "consumed", "confirmed")
                 if (at := moment(row[f"{step}_at"])) is not None]  # fmt: skip
        if not marks:
            return []
        first, last = self._x(marks[0][1]), self._x(marks[-1][1])
        kind = "contacts" if row["kind"] == "contacts" else "file"
        tip = escape(f"{row['name']}: {row['rows']} {row['kind']}")
        parts = [f'<line class="{kind}-line" x1="{first}" x2="{last}" y1="{y}" y2="{y}"/>']
        parts += [
            f'<circle class="{kind}" cx="{self._x(at)}" cy="{y}" r="4"><title>{tip}, {step} at second '
            f"{at - self._began:.1f}</title></circle>"
            for step, at in marks
        ]
        label = f"{row['rows']} {row['kind']}"
        # Before the line when there is no room behind it.
        left = last > _WIDTH - _RIGHT - 110
        parts.append(_text(first - 9 if left else last + 9, y + 4, label, "small", "end" if left else "start"))
        return parts

    def _curves(self) -> list[str]:
        arrived = self._arrived["api"] + self._arrived["file"]
        most = max(len(self._accepted), 1)
        parts = self._scale("in all: accepted by Tillpost, arrived at Engage", self._curve_top, _CURVE_HEIGHT, most)
        for name, times in (("accepted", self._accepted), ("arrived", arrived)):
            stairs = (
                f"H{self._x(at)}V{self._bottom - count / most * _CURVE_HEIGHT:.1f}"
                for count, at in enumerate(sorted(times), start=1)
            )
            path = f"M{_LEFT} {self._bottom}{''.join(stairs)}H{_WIDTH - _RIGHT}"
            parts.append(f'<path class="{name}" d="{path}"/>')
        return parts

    def _scale(self, heading: str, top: float, height: float, most: int) -> list[str]:
        parts = [_text(_LEFT, top - (22 if top == _BARS_TOP else 12), heading, "heading")]
        for value in sorted({0, most // 2, most}):
            y = top + height - value / most * height
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(_text(_LEFT - 8, y + 4, str(value), "small", "end"))
        return parts

    def _axis(self) -> list[str]:
        steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600, 10**9)
        step = next(step for step in steps if self._span / step <= 14)
        parts = []
        for second in range(0, int(self._span) + 1, step):
            x = self._x(self._began + second)
            parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{self._bottom}" y2="{self._bottom + 5}"/>')
            parts.append(_text(x, self._bottom + 19, str(second), "small", "middle"))
        parts.append(_text(_WIDTH - _RIGHT, self._bottom + 36, "seconds since the start", "small", "end"))
        return parts


def _text(x: float, y: float, text: str, css: str, anchor: str = "start") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

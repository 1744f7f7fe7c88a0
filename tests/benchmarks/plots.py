"""Two kinds of line charts as SVG, of our own making: readable on light and on dark pages, without a script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import attrs

_WIDTH, _HEIGHT = 860, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 58, 48
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .axis { stroke: #57606a } .grid { stroke: #d0d7de; stroke-width: 1 }
.shade { fill: #afb8c1; opacity: .35 } path { fill: none; stroke-width: 2 } circle { stroke: none }
.c0 { stroke: #0969da } .c1 { stroke: #bc4c00 } .c2 { stroke: #1a7f37 } .c3 { stroke: #8250df } .c4 { stroke: #cf222e }
circle.c0, text.c0 { fill: #0969da; stroke: none } circle.c1, text.c1 { fill: #bc4c00; stroke: none }
circle.c2, text.c2 { fill: #1a7f37; stroke: none } circle.c3, text.c3 { fill: #8250df; stroke: none }
circle.c4, text.c4 { fill: #cf222e; stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .axis { stroke: #8b949e } .grid { stroke: #30363d } .shade { fill: #6e7681 }
.c0 { stroke: #58a6ff } .c1 { stroke: #f0883e } .c2 { stroke: #3fb950 } .c3 { stroke: #bc8cff } .c4 { stroke: #ff7b72 }
circle.c0, text.c0 { fill: #58a6ff } circle.c1, text.c1 { fill: #f0883e } circle.c2, text.c2 { fill: #3fb950 }
circle.c3, text.c3 { fill: #bc8cff } circle.c4, text.c4 { fill: #ff7b72 }
}
"""
Points = Sequence[tuple[float, float]]


@attrs.frozen(kw_only=True)
class Chart:
    """Lines over one axis. shaded: a stretch of the axis, with what it is. logarithmic: of the axis along."""

    title: str
    along: str
    up: str
    lines: Mapping[str, Points]
    shaded: tuple[float, float, str] | None = None
    logarithmic: bool = False

    def svg(self) -> str:
        """The file's content."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style>",
            _text(_LEFT, 20, self.title, "title"),
            *self._shade(),
            *self._axes(),
        ]
        for number, (name, points) in enumerate(self.lines.items()):
            parts += self._line(number, name, points)
        return "\n".join([*parts, "</svg>\n"])

    def _highest(self) -> float:
        return max((value for points in self.lines.values() for _, value in points), default=1.0) or 1.0

    def _ends(self) -> tuple[float, float]:
        along = [at for points in self.lines.values() for at, _ in points] or [0.0, 1.0]
        if not self.logarithmic:
            return 0.0, float(math.ceil(max(along)))
        return (min(along), max(along)) if min(along) < max(along) else (min(along), min(along) * 10)

    def _x(self, at: float) -> float:
        low, high = self._ends()
        if self.logarithmic:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        return round(_LEFT + (at - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), 1)

    def _y(self, value: float) -> float:
        return round(_HEIGHT - _BOTTOM - value / ceiling(self._highest()) * (_HEIGHT - _TOP - _BOTTOM), 1)

    def _shade(self) -> list[str]:
        if self.shaded is None:
            return []
        start, end, name = self.shaded
        left, right = self._x(start), self._x(end)
        return [
            f'<rect class="shade" x="{left}" y="{_TOP}" width="{right - left:.1f}" '
            f'height="{_HEIGHT - _TOP - _BOTTOM}"/>',
            _text((left + right) / 2, _TOP + 16, name, anchor="middle"),
        ]

    def _axes(self) -> list[str]:
        parts, base, top = [], _HEIGHT - _BOTTOM, ceiling(self._highest())
        for value in (top * step / 4 for step in range(5)):
            y, kind = self._y(value), "grid" if value else "axis"
            parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
            parts.append(_text(_LEFT - 8, y + 4, f"{value:,.4g}", anchor="end"))
        parts += [_text(self._x(at), base + 18, f"{at:,.0f}", anchor="middle") for at in self._ticks()]
        parts.append(_text(_LEFT, _TOP - 12, self.up))
        parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, self.along, anchor="middle"))
        return parts

    def _ticks(self) -> list[float]:
        if self.logarithmic:
            return sorted({at for points in self.lines.values() for at, _ in points})
        low, high = self._ends()
        step = max(1.0, ceiling((high - low) / 12))
        return [low + number * step for number in range(int((high - low) / step) + 1)]

    def _line(self, number: int, name: str, points: Points) -> list[str]:
        if not points:
            return []
        colour = f"c{number % 5}"
        steps = " L".join(f"{self._x(at)} {self._y(value)}" for at, value in points)
        parts = [f'<path class="{colour}" d="M{steps}"><title>{escape(name)}</title></path>']
        if self.logarithmic:
            parts += [
                f'<circle class="{colour}" cx="{self._x(at)}" cy="{self._y(value)}" r="4"/>' for at, value in points
            ]
        # The names stand in a column of their own: lines that end side by side would cover each other's.
        y = _TOP + 14 + number * 20
        x = _WIDTH - _RIGHT + 14
        return [*parts, f'<circle class="{colour}" cx="{x}" cy="{y - 4}" r="5"/>', _text(x + 12, y, name, colour)]


def ceiling(value: float) -> float:
    """The next round number (1, 2, 4 or 5 with zeros) that is not smaller."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= value * (1 - 1e-9))


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'

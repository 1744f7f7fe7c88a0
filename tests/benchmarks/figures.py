"""The arithmetic: medians with their spread, ratios of one round, and what was lost or came twice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import attrs


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(map(float, values))


@attrs.frozen
class Figure:
    """One quantity, measured once a round; `values` in the order of the rounds."""

    values: tuple[float, ...] = attrs.field(converter=_floats)

    @values.validator
    def _some(self, _: object, values: tuple[float, ...]) -> None:
        if not values:
            raise ValueError("a figure needs a value")

    @property
    def median(self) -> float:
        """The middle one; of an even number, the mean of the middle two."""
        return float(median(self.values))

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)


def ratio(over: Sequence[float], under: Sequence[float]) -> Figure:
    """Round by round: both values of a ratio come from the same minute of the machine.

    A round in which one of the two is missing (0) is omitted; ValueError when no round is left.
    """
    return Figure([a / b for a, b in zip(over, under, strict=False) if a and b])


def steady_rate(arrivals: Sequence[float], cut: float = 0.1) -> float:
    """Arrivals a second between the first tenth and the last: without start-up and without the end, when workers idle.

    0 when there are too few to tell.
    """
    start, end = int(len(arrivals) * cut), len(arrivals) - 1 - int(len(arrivals) * cut)
    if end - start < 2 or arrivals[end] <= arrivals[start]:
        return 0.0
    return (end - start) / (arrivals[end] - arrivals[start])


@attrs.frozen
class Tally:
    """What the sink has of what it was to get. repeated: arrivals of a receipt after its first."""

    expected: int
    lost: int
    repeated: int
    strange: int
    """Ids that were in no input: what was changed on its way."""


def tally(expected: Iterable[str], seen: Mapping[str, int]) -> Tally:
    """Compare the ids that were sent with how often the sink saw each."""
    wanted = set(expected)
    return Tally(
        expected=len(wanted),
        lost=len(wanted - seen.keys()),
        repeated=sum(count - 1 for count in seen.values()),
        strange=len(seen.keys() - wanted),
    )


def per_second(arrivals: Iterable[float], start: float, seconds: int) -> list[int]:
    """How many arrived in each second from `start` on."""
    counts = [0] * seconds
    for at in arrivals:
        if 0 <= at - start < seconds:
            counts[int(at - start)] += 1
    return counts

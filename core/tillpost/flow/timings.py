"""How long hooks, deliveries and commits of a pipeline take, and how hooks end. Counted in this process."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TypeVar

import attrs

_Key = TypeVar("_Key")

CALL_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets for one call, in seconds."""
DELAY_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 259200.0)
"""Upper bounds of the buckets from the acceptance of a receipt to its delivery, in seconds."""


@attrs.define(eq=False)
class Histogram:
    """Durations in buckets. counts: by bucket; the last bucket is for durations above every bound."""

    bounds: tuple[float, ...]
    counts: list[int] = attrs.field(default=attrs.Factory(lambda self: [0] * (len(self.bounds) + 1), takes_self=True))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Bound → how many durations are at most so long, as the Prometheus text format has it."""
        buckets, below = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        return buckets


class Timings:
    """The histograms of one pipeline. Any thread may record."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooks: dict[tuple[str, str], Histogram] = {}
        self._delays: dict[str, Histogram] = {}
        self._commits: dict[str, Histogram] = {}

    def record_hook(self, name: str, outcome: str, seconds: float) -> None:
        """A hook was called. outcome: the kind of its answer, such as `Delivered`, or `raised`."""
        self._record(self._hooks, (name, outcome), CALL_BOUNDS, seconds)

    def record_delivery(self, route: str, seconds: float) -> None:
        """A receipt was delivered so many seconds after its acceptance."""
        self._record(self._delays, route, DELAY_BOUNDS, max(0.0, seconds))

    def record_commit(self, seconds: float) -> None:
        """Records of documents were committed to the journal, in one commit."""
        self._record(self._commits, "", CALL_BOUNDS, seconds)

    def hooks(self) -> dict[tuple[str, str], Histogram]:
        """A copy by (hook, outcome)."""
        return self._copy(self._hooks)

    def delays(self) -> dict[str, Histogram]:
        """A copy by route."""
        return self._copy(self._delays)

    def commits(self) -> Histogram | None:
        """A copy of the commits; None before the first."""
        return self._copy(self._commits).get("")

    def _record(self, table: dict[_Key, Histogram], key: _Key, bounds: tuple[float, ...], seconds: float) -> None:
        with self._lock:
            histogram = table.get(key)
            if histogram is None:
                histogram = table[key] = Histogram(bounds)
            histogram.add(seconds)

    def _copy(self, table: dict[_Key, Histogram]) -> dict[_Key, Histogram]:
        with self._lock:
            return {
                key: Histogram(histogram.bounds, list(histogram.counts), histogram.total)
                for key, histogram in table.items()
            }

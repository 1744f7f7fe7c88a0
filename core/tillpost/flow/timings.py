"""How long hooks, deliveries and commits of a pipeline take, and how hooks end. Counted in this process."""

from __future__ import annotations

import threading
from bisect import bisect_left
from itertools import accumulate
from typing import Generic, TypeVar

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
        return list(zip((*map(str, self.bounds), "+Inf"), map(float, accumulate(self.counts)), strict=True))


class Histograms(Generic[_Key]):
    """Histograms by key. Any thread may record."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._by_key: dict[_Key, Histogram] = {}

    def record(self, key: _Key, seconds: float) -> None:
        """Count a duration under this key."""
        with self._lock:
            histogram = self._by_key.get(key)
            if histogram is None:
                histogram = self._by_key[key] = Histogram(self._bounds)
            histogram.add(seconds)

    def copy(self) -> dict[_Key, Histogram]:
        """What was recorded so far, by key."""
        with self._lock:
            return {key: attrs.evolve(known, counts=list(known.counts)) for key, known in self._by_key.items()}


class Timings:
    """The histograms of one pipeline."""

    def __init__(self) -> None:
        self.hooks = Histograms[tuple[str, str]](CALL_BOUNDS)
        """By hook and outcome: the kind of its answer, such as `Delivered`, or `raised`."""
        self.delays = Histograms[str](DELAY_BOUNDS)
        """From the acceptance of a receipt to its delivery, by route."""
        self.commits = Histograms[str](CALL_BOUNDS)
        """Of records of documents to the journal; the key is ""."""

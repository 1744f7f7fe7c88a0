"""How long the hooks of a pipeline take and what comes of them, counted in this process: two sums and a few buckets."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TypeVar

import attrs

_Key = TypeVar("_Key")

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets for one call, in seconds."""
DELAYS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 259200.0)
"""Upper bounds of the buckets from the acceptance of a receipt to its delivery, in seconds."""


@attrs.define(eq=False)
class Spread:
    """How many took how long. counts: by bucket, the last is for what took longer than every bound."""

    bounds: tuple[float, ...]
    counts: list[int] = attrs.field(default=attrs.Factory(lambda self: [0] * (len(self.bounds) + 1), takes_self=True))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulated(self) -> list[tuple[str, float]]:
        """Bound → how many took at most so long, as the text format of Prometheus wants it."""
        found, below = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class Timings:
    """Of one pipeline; any thread may note."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooks: dict[tuple[str, str], Spread] = {}
        self._delays: dict[str, Spread] = {}
        self._commits: dict[str, Spread] = {}

    def hook(self, name: str, outcome: str, seconds: float) -> None:
        """A hook was called. outcome: the kind of its answer, such as `Delivered`, or `raised`."""
        self._note(self._hooks, (name, outcome), BOUNDS, seconds)

    def delivered(self, route: str, seconds: float) -> None:
        """A receipt was delivered so long after its acceptance."""
        self._note(self._delays, route, DELAYS, max(0.0, seconds))

    def committed(self, seconds: float) -> None:
        """Records of documents were committed to the journal, in one commit that took so long."""
        self._note(self._commits, "", BOUNDS, seconds)

    def hooks(self) -> dict[tuple[str, str], Spread]:
        """(hook, outcome) → what was noted, as of now."""
        return self._copied(self._hooks)

    def delays(self) -> dict[str, Spread]:
        """Route → what was noted, as of now."""
        return self._copied(self._delays)

    def commits(self) -> Spread | None:
        """What was noted of commits, as of now; None: nothing was."""
        return self._copied(self._commits).get("")

    def _note(self, table: dict[_Key, Spread], key: _Key, bounds: tuple[float, ...], seconds: float) -> None:
        with self._lock:
            spread = table.get(key)
            if spread is None:
                spread = table[key] = Spread(bounds)
            spread.add(seconds)

    def _copied(self, table: dict[_Key, Spread]) -> dict[_Key, Spread]:
        with self._lock:
            return {key: Spread(each.bounds, list(each.counts), each.total) for key, each in table.items()}

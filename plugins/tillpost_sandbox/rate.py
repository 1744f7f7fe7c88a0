"""The rate limit: requests in any sliding second, per API key."""

from collections import deque
from collections.abc import Callable

import attrs

WINDOW = 1.0  # seconds


@attrs.define
class RateLimit:
    """Counts the requests of the last second per key. clock: monotonic seconds.

    Engage's limit is per API key, not per tenant (contract, section 1). A request that was answered 429 does
    not count against the limit, but does count in `peak`, the most requests one key made in a second.
    """

    clock: Callable[[], float]
    peak: int = 0
    _came: dict[str, deque[float]] = attrs.field(factory=dict)
    _admitted: dict[str, deque[float]] = attrs.field(factory=dict)

    def admit(self, key: str, limit: int) -> bool:
        """Count a request that came now; False when it exceeds the limit."""
        now = self.clock()
        came = self._recent(self._came, key, now)
        came.append(now)
        self.peak = max(self.peak, len(came))
        admitted = self._recent(self._admitted, key, now)
        if len(admitted) >= limit:
            return False
        admitted.append(now)
        return True

    def _recent(self, times: dict[str, deque[float]], key: str, now: float) -> deque[float]:
        recent = times.setdefault(key, deque())
        while recent and recent[0] <= now - WINDOW:
            recent.popleft()
        return recent

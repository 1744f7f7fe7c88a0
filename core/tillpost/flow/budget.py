"""The request rate of one API key: never more than allowed in any sliding second."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable

from tillpost.plugin import Budget, Secret


class SlidingBudget:
    """At most `rate` requests in any window of one second, measured when they are allowed to go.

    A sliding window instead of a token bucket: a full bucket would let two seconds' worth pass at once
    (Engage contract, rules of conduct: the limit is per second and API key).
    """

    def __init__(
        self, rate: float, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rate = float("inf")
        self._sent: deque[float] = deque()
        self._blocked_until = float("-inf")
        self.narrow(rate)

    def narrow(self, rate: float) -> None:
        """Allow no more than this from now on; a larger rate than before changes nothing."""
        with self._lock:
            if rate >= self._rate:
                return
            self._rate = rate
            self._size = max(1, int(rate))
            # Below one a second the window grows instead. One hundredth more, because the far side counts when
            # requests arrive, and the way there is not equally long for each (seen: 51 arrivals at 50 allowed).
            self._window = 1.01 * max(1.0, 1.0 / rate)
            self._sent = deque(self._sent, maxlen=self._size)

    def take(self) -> None:
        """Wait for a slot. What counts is when a request is really let go, not when it was to go.

        One thread waits for the next slot and the others behind it: a thread the machine wakes late thus moves
        those behind it, instead of going out side by side with them.
        """
        with self._lock:
            while True:
                now = self._monotonic()
                slot = self._blocked_until
                if len(self._sent) == self._size:
                    slot = max(slot, self._sent[0] + self._window)
                if slot <= now:
                    break
                self._sleep(slot - now)
            self._sent.append(now)

    def slow(self, seconds: float) -> None:
        """Let nothing pass for so long: the far side has said that it is too much."""
        # Without the lock, which a waiting thread holds; that thread looks again when it wakes.
        self._blocked_until = max(self._blocked_until, self._monotonic() + seconds)


class Budgets:
    """One budget a key, whichever pipelines use it; the smallest rate any of them names holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, SlidingBudget] = {}

    def __call__(self, key: Secret, rate: float) -> Budget:
        """The budget of this key."""
        digest = hashlib.sha256(key.reveal().encode()).hexdigest()
        with self._lock:
            known = self._known.get(digest)
            if known is None:
                known = self._known[digest] = SlidingBudget(rate)
            known.narrow(rate)
            return known

"""Contacts whose stored contactId the resolvers have confirmed a moment ago, so that they need not be asked again."""

from __future__ import annotations

import threading


class ContactIdCache:
    """Contact key → the contactId that was confirmed, for a while. Any thread may ask."""

    SECONDS = 60.0
    """How long an answer holds."""
    SIZE = 10_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._confirmed: dict[str, tuple[str, float]] = {}

    def add(self, key: str, contact_id: str, now: float) -> None:
        """The resolvers have just confirmed it. now: monotonic."""
        with self._lock:
            self._confirmed.pop(key, None)
            if len(self._confirmed) >= self.SIZE:
                del self._confirmed[next(iter(self._confirmed))]
            self._confirmed[key] = (contact_id, now + self.SECONDS)

    def holds(self, key: str, contact_id: str, now: float) -> bool:
        """Whether the resolvers need not be asked about this contactId of the contact."""
        confirmed, until = self._confirmed.get(key, ("", 0.0))
        return confirmed == contact_id and now < until

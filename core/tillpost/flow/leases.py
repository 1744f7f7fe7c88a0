"""Who works on what: claims on receipts, locks on contacts, duties of one process, and the rate all processes share.

The flow asks these protocols alone. The kinds below serve one process that has the journal to itself (its run lock
says so): nothing is ever lost to another process. A journal that several processes share puts leases behind the same
calls. A lease ends by itself, so a process that loses one drops what it has in hand and writes nothing about it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from tillpost.plugin import Budget


class Claims(Protocol):
    """Receipts that threads of this process work on, and nobody else does. Any thread may ask."""

    def claim(self, seqs: Iterable[int], limit: int) -> set[int]:
        """Those of `seqs`, in order and at most `limit`, that nobody works on; they belong to the caller now."""

    def release(self, seqs: Iterable[int]) -> None:
        """The caller has finished with them."""

    def renew(self) -> None:
        """Keep for longer what is claimed. Called at least every second while the pipeline works."""

    def are_valid(self) -> bool:
        """Whether a call about a claimed receipt may begin: the claims hold until the call's deadline has passed.

        Once this is False the receipts in hand may belong to another process.
        """

    def __len__(self) -> int:
        """How many receipts this process has claimed."""


class ContactLocks(Protocol):
    """One thread at a time for a contact: however many tills see a new customer at once, one creation is made."""

    def lock(self, key: str) -> AbstractContextManager[object]:
        """Wait for the lock of the contact with this key; hold it inside the block."""


class Duty(StrEnum):
    """Work of a pipeline that only one process may do at a time."""

    FALLBACK_FILES = "fallback files"
    """Write, review, transfer and reconcile files."""
    MAPPING_GUARD = "mapping guard"
    OBSERVERS = "observers"
    """Pass committed events on to the observers."""
    REPLAY = "replay"
    RETENTION = "retention"
    VERIFICATION = "verification"
    """Read histories for what Engage accepted."""
    ALERTS = "alerts"


class Duties(Protocol):
    """Which duties this process has. Asked before each round of the work."""

    def holds(self, duty: Duty) -> bool:
        """Whether the round may begin."""


class SharedBudget(Budget, Protocol):
    """The request rate of one API key, kept for every process that uses the key (rate_limit/budget.py)."""

    rate: float
    """Requests allowed in any second; a new value holds from now on."""

    def close(self) -> None:
        """No longer count together with other processes."""


class ProcessClaims:
    """Claims of one process, in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claimed: set[int] = set()

    def claim(self, seqs: Iterable[int], limit: int) -> set[int]:
        """See `Claims`."""
        with self._lock:
            free = [seq for seq in seqs if seq not in self._claimed][:limit]
            self._claimed.update(free)
            return set(free)

    def release(self, seqs: Iterable[int]) -> None:
        """See `Claims`."""
        with self._lock:
            self._claimed.difference_update(seqs)

    def renew(self) -> None:
        """Nothing expires."""

    def are_valid(self) -> bool:
        """Always: no other process can take them over."""
        return True

    def __len__(self) -> int:
        return len(self._claimed)


class ProcessContactLocks:
    """Locks of one process. A contact shares its lock with a few others, which costs waiting and nothing else."""

    def __init__(self) -> None:
        self._stripes = [threading.Lock() for _ in range(256)]

    def lock(self, key: str) -> AbstractContextManager[object]:
        """See `ContactLocks`."""
        return self._stripes[hash(key) % len(self._stripes)]


class ProcessDuties:
    """The only process of a journal has every duty."""

    def holds(self, duty: Duty) -> bool:
        """Always."""
        return True

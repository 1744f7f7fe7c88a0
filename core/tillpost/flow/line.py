"""What the steps of one pipeline's flow share: its journal, its hooks, its limits, time and chance."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import attrs

from tillpost.clock import Clock, Jumps
from tillpost.flow.breaker import Breaker
from tillpost.flow.heartbeat import Heartbeat
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy
from tillpost.flow.rate_limit.pace import Pace
from tillpost.journal import Journal, KnownMapping
from tillpost.model import Customer


class Claims:
    """The receipts some thread of this process works on. One process runs a journal (its lock says so)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._turns = count(1)

    def turn(self) -> int:
        """The number of this look for work, from 1."""
        return next(self._turns)

    def take(self, seqs: Iterable[int], most: int) -> set[int]:
        """Those of `seqs`, in order and at most so many, that nobody works on; they are now the caller's."""
        with self._lock:
            free = [seq for seq in seqs if seq not in self._taken][:most]
            self._taken.update(free)
            return set(free)

    def give_back(self, seqs: Iterable[int]) -> None:
        """The caller is done with them."""
        with self._lock:
            self._taken.difference_update(seqs)

    def __len__(self) -> int:
        return len(self._taken)


class ContactLocks:
    """One thread at a time a contact: however many tills see a new customer at once, one creation is made."""

    def __init__(self) -> None:
        self._stripes = [threading.Lock() for _ in range(256)]

    def of(self, key: str) -> threading.Lock:
        """The lock of this contact (shared with a few others, which costs waiting and nothing else)."""
        return self._stripes[hash(key) % len(self._stripes)]


class Resolved:
    """Contacts of which the resolvers have said, a moment ago, that they have the contactId that is stored."""

    LONG = 60.0
    """Seconds for which an answer holds."""
    MOST = 10_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, tuple[str, float]] = {}

    def note(self, key: str, contact_id: str, now: float) -> None:
        """The resolvers have just said so. now: monotonic."""
        with self._lock:
            self._said.pop(key, None)
            if len(self._said) >= self.MOST:
                del self._said[next(iter(self._said))]
            self._said[key] = (contact_id, now + self.LONG)

    def holds(self, key: str, contact_id: str, now: float) -> bool:
        """Whether they need not be asked."""
        said, until = self._said.get(key, ("", 0.0))
        return said == contact_id and now < until


@attrs.define
class Guard:
    """Whether receipts may be sent with the mapping of this line (flow/upkeep/mapping_guard.py).

    fingerprint: of the mapping, "" where nobody asks; what: what it is made of. hold: a new one waits for its release,
    and is tried on the `first` receipts meanwhile.
    """

    fingerprint: str = ""
    what: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    hold: bool = False
    first: int = 20
    closed: bool = False
    """Nothing may be mapped and sent."""
    count: int = 0
    """On how many receipts it was tried while it was closed."""
    since: float = 0.0

    def known(self, mapping: KnownMapping) -> None:
        """As the journal has it."""
        self.closed = mapping.released_at is None
        self.count, self.since = mapping.held, mapping.since

    def room(self) -> int:
        """How many receipts more are to be held."""
        return max(0, self.first - self.count)


@attrs.frozen(kw_only=True)
class Line:
    """One pipeline at work. Plugins never see it."""

    name: str
    journal: Journal
    hooks: HookCalls
    clock: Clock
    random: Random
    breaker: Breaker
    source: SourcePolicy | None
    retry: RetryPolicy
    fallback: FallbackPolicy | None
    transfer: TransferPolicy | None
    anonymous: Customer | None
    workers: int
    pace: Pace | None = None
    """What is known of the rate budget; None where nothing asks for one."""
    skip_unknown: bool = False
    """Skip, instead of hold, what belongs to a contact nobody knows and nobody may create."""
    keep: timedelta | None = None
    """How long what is settled stays in the journal; None: for good."""
    heartbeat: Heartbeat = attrs.field(factory=Heartbeat)
    guard: Guard = attrs.field(factory=Guard)
    claims: Claims = attrs.field(factory=Claims)
    locks: ContactLocks = attrs.field(factory=ContactLocks)
    resolved: Resolved = attrs.field(factory=Resolved)
    jumps: Jumps = attrs.field(default=attrs.Factory(lambda line: Jumps(line.clock), takes_self=True))

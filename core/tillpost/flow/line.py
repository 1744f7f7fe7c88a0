"""What the steps of one pipeline's flow share: its journal, its hooks, its limits, time and chance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from random import Random

import attrs

from tillpost.clock import Clock, ClockChanges
from tillpost.flow.breaker import Breaker
from tillpost.flow.delivery.contact_id_cache import ContactIdCache
from tillpost.flow.heartbeat import Heartbeat
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.leases import (
    Claims,
    ContactLocks,
    Duties,
    ProcessClaims,
    ProcessContactLocks,
    ProcessDuties,
)
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy
from tillpost.flow.rate_limit.pace import Pace
from tillpost.flow.upkeep.guard_state import GuardState
from tillpost.journal import Journal
from tillpost.model import Customer


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
    guard: GuardState = attrs.field(factory=GuardState)
    claims: Claims = attrs.field(factory=ProcessClaims)
    contact_locks: ContactLocks = attrs.field(factory=ProcessContactLocks)
    duties: Duties = attrs.field(factory=ProcessDuties)
    rounds: Iterator[int] = attrs.field(factory=lambda: count(1))
    """Numbers the rounds in which receipts are claimed: some of them belong to the backlog."""
    contact_ids: ContactIdCache = attrs.field(factory=ContactIdCache)
    clock_changes: ClockChanges = attrs.field(
        default=attrs.Factory(lambda line: ClockChanges(line.clock), takes_self=True)
    )

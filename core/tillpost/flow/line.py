"""What the steps of one pipeline share: its journal, hooks, limits, leases, clock and randomness."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any, Literal

import attrs

from tillpost.clock import Clock, ClockChanges
from tillpost.flow.breaker import Breaker
from tillpost.flow.contacts.contact_id_cache import ContactIdCache
from tillpost.flow.heartbeat import Heartbeat
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.intake.in_hand import DocumentsInHand
from tillpost.flow.leases import Claims, ContactLocks, Duties, ProcessClaims, ProcessContactLocks, ProcessDuties
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy, VerifyPolicy
from tillpost.flow.rate_limit.pace import Pace
from tillpost.flow.trial_group import TrialGroup
from tillpost.flow.trials import Trials
from tillpost.journal import Entry, Journal, KnownMapping
from tillpost.model import Customer, IdentifierRules, Tenant


@attrs.define
class GuardState:
    """Whether receipts may be sent with the mapping of this pipeline; mapping_guard.py has the steps.

    fingerprint: of the mapping, "" for a pipeline without a guard. what: what the mapping is made of. hold: a new
    mapping waits until a person releases it, and is tried on the `first` receipts meanwhile.
    """

    fingerprint: str = ""
    what: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    hold: bool = False
    first: int = 20
    closed: bool = False
    """Nothing may be mapped and sent."""
    count: int = 0
    """On how many receipts the mapping was tried while the guard was closed."""
    since: float = 0.0

    def load(self, mapping: KnownMapping) -> None:
        """Take over what the journal knows of the mapping."""
        self.closed = mapping.released_at is None
        self.count, self.since = mapping.held, mapping.since

    def remaining(self) -> int:
        """How many more receipts are to be held."""
        return max(0, self.first - self.count)


@attrs.define
class TenantCheck:
    """The tenant whose lookups are awaited before anything is sent; upkeep/tenant.py has the steps.

    moved: its address is another than the journal knows, so that stored contactIds are not used in files either.
    """

    pending: Tenant | None = None
    moved: bool = False


@attrs.frozen(kw_only=True)
class Line:
    """One pipeline at work. Plugins do not get it."""

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
    server: str = ""
    """The file server and its folder, as people name them; "" without a transfer."""
    pace: Pace | None = None
    """Measures its rate budgets; None where no plugin uses one."""
    skip_unknown: bool = False
    """Skip, instead of hold, receipts of a contact that is unknown and that no resolver may create."""
    lookup_keys: frozenset[str] | None = None
    """The kinds of identifier by which resolvers ask the destination; None where one does not say."""
    unknown_after: timedelta = timedelta(days=1)
    """How long such a contact is looked up again before that."""
    erased: Literal["create", "hold"] = "create"
    """What becomes of a receipt that waits while its contact is erased at the destination."""
    rules: IdentifierRules = attrs.field(factory=IdentifierRules)
    """How identifiers are read."""
    verify: VerifyPolicy = attrs.field(factory=VerifyPolicy)
    keep: timedelta | None = None
    """How long settled receipts stay in the journal; None: for ever."""
    heartbeat: Heartbeat = attrs.field(factory=Heartbeat)
    guard: GuardState = attrs.field(factory=GuardState)
    tenant: TenantCheck = attrs.field(factory=TenantCheck)
    claims: Claims = attrs.field(factory=ProcessClaims)
    contact_locks: ContactLocks = attrs.field(factory=ProcessContactLocks)
    duties: Duties = attrs.field(factory=ProcessDuties)
    rounds: Iterator[int] = attrs.field(factory=lambda: count(1))
    """Counts the rounds in which receipts are claimed; every BACKLOG_TURN-th is the backlog's."""
    contact_ids: ContactIdCache = attrs.field(factory=ContactIdCache)
    trials: Trials | None = None
    """Tries apart what was in hand at two ends of the process; None: such ends are only counted."""
    trial_group: TrialGroup = attrs.field(
        init=False, default=attrs.Factory(lambda line: TrialGroup(line.trials), takes_self=True)
    )
    in_hand: DocumentsInHand = attrs.field(
        default=attrs.Factory(lambda line: DocumentsInHand(line.journal.crash_marks.beside), takes_self=True)
    )
    died_writing: threading.Event = attrs.field(factory=threading.Event)
    """The last process ended while it wrote fallback files: the next batch is tried apart first."""
    set_aside: set[tuple[str, str]] = attrs.field(factory=set)
    """Steps that this process has told it does not do for a while (deadly.py)."""
    raised: dict[tuple[str, str], tuple[int, float]] = attrs.field(factory=dict)
    """Steps that raise: how often in a row, and when that was noted in the journal (deadly.py)."""
    noted: set[tuple[str, str]] = attrs.field(
        default=attrs.Factory(
            lambda line: {(each.step, each.name) for each in line.journal.steps_set_aside.standing(line.clock.time())},
            takes_self=True,
        )
    )
    """Steps that the journal has as set aside or failing; one that comes to its end is removed there."""
    observers_due: dict[str, float] = attrs.field(factory=dict)
    """Observers that are behind: when the next event is passed on to them, in monotonic seconds."""
    silent: dict[str, str] = attrs.field(factory=dict)
    """Contacts of fallback files whose lookup has no answer, though the destination answers; each with the reason.

    Until it has one, or the next outage. A restart forgets them, and they are found again.
    """
    failing_alone: set[str] = attrs.field(factory=set)
    """Fallback files that the file server does not take, or that cannot be written again, while others can."""
    clock_changes: ClockChanges = attrs.field(
        default=attrs.Factory(lambda line: ClockChanges(line.clock), takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        if self.hooks.implements("probe"):
            self.breaker.use_probe(self.hooks.probe)

    def has_spare_requests(self) -> bool:
        """Whether nothing else waits for a request, and the pipeline goes on: then what comes last may begin."""
        waits = self.pace is not None and self.pace.waiting
        other_tenant = self.tenant.pending is not None  # perhaps: its answers would tell nothing of this one
        return self.breaker.allows_requests() and not waits and not other_tenant and not self.heartbeat.stopping

    def verifies(self) -> bool:
        """Whether receipts that Engage accepts by API are looked for in its histories."""
        return self.verify.receipts != "off" and self.hooks.implements("confirm_receipts")

    def verify_after(self, entry: Entry) -> float | None:
        """Seconds after its delivery by API at which the history is read for a receipt; None: never."""
        if entry.contact is None or not self.verifies() or not self.verify.chooses(entry.id):
            return None
        return self.retry.confirm_after.total_seconds()

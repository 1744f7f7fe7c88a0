"""The plan of a replay: what it would do with each receipt, before anything is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from tillpost.journal import OPEN, Journal, ReplayCandidate, ReplayOrder, State
from tillpost.journal.tables.taken_ids import SUPERSEDED

_CONFLICTING_ID = re.compile(r"#(voided|[0-9a-f]{12})$")
"""The end of the id under which a receipt is held when its own id has other content."""


class Fate(StrEnum):
    """What a replay does with a receipt."""

    SEND = "send"
    """It is queued again."""
    VERIFY = "verify"
    """Accepted by API and not verified: look it up in the history, and send it again if it is absent."""
    CONFIRMED = "confirmed"
    """Skipped: the destination has it."""
    IN_PROGRESS = "in_progress"
    """Skipped: on its way already."""
    COLLIDES = "collides"
    """Skipped: its id has other content, which the destination would keep."""
    DISCARDED = "discarded"
    """Skipped: a person has discarded it (`tillpost held discard`)."""
    UNREADABLE = "unreadable"
    """Skipped: its body in the journal is damaged."""
    NO_CUSTOMER = "no_customer"
    """Skipped: it has no contact, and the pipeline has no `anonymous`."""
    SUPERSEDED = "superseded"
    """Skipped: voided at the till, or another receipt stands in its place (a correction, or another id)."""
    TOO_OLD = "too_old"
    """Skipped: settled longer ago than `keep`, so it leaves the journal at any moment."""


SELECTED = (Fate.SEND, Fate.VERIFY)


@attrs.define
class Share:
    """The receipts of one fate: how many, and their sums by currency."""

    count: int = 0
    amounts: dict[str, Decimal] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Plan:
    """What a replay would do.

    undated: records of the store that could not be read, so their day is unknown. kept_since: receipts of days before
    this date may have left the journal; "" when the order has no such day.
    """

    order: ReplayOrder
    shares: Mapping[Fate, Share]
    undated: int
    kept_since: str

    @property
    def chosen(self) -> int:
        """How many would be sent."""
        return sum(self.shares[fate].count for fate in SELECTED)

    def json(self) -> dict[str, Any]:
        """As JSON, for the journal and `--json`."""
        shares: dict[str, Any] = {
            str(fate): {"count": share.count, "amounts": {name: str(amount) for name, amount in share.amounts.items()}}
            for fate, share in self.shares.items()
        }
        return shares | {"undated": self.undated, "kept_since": self.kept_since}


def fate_of(
    receipt: ReplayCandidate, order: ReplayOrder, before: float | None, anonymous: bool, readable: Callable[[int], bool]
) -> Fate:
    """The fate of a receipt. before: receipts settled before this time leave the journal; None: all stay."""
    if (receipt.state in OPEN and order.by == "api") or receipt.state in (State.WRITTEN, State.TRANSFERRED):
        return Fate.IN_PROGRESS
    if receipt.state is State.DELIVERED and not (order.unverified and receipt.verified_at is None):
        return Fate.CONFIRMED
    if receipt.contact is None and _CONFLICTING_ID.search(receipt.id):
        return Fate.COLLIDES
    if receipt.state is State.SKIPPED and receipt.reason in SUPERSEDED:
        return Fate.SUPERSEDED
    if receipt.state is State.SKIPPED and receipt.reason.startswith("discarded: "):
        return Fate.DISCARDED
    if receipt.state in (State.DELIVERED, State.SKIPPED) and before is not None and receipt.changed_at < before:
        return Fate.TOO_OLD
    if not readable(receipt.seq):
        return Fate.UNREADABLE
    if receipt.contact is None and not anonymous:
        return Fate.NO_CUSTOMER
    return Fate.VERIFY if receipt.state is State.DELIVERED else Fate.SEND


def plan(journal: Journal, order: ReplayOrder, keep: timedelta | None, anonymous: bool, now: float) -> Plan:
    """Read every receipt of the order. Nothing is changed."""
    before = None if keep is None else now - keep.total_seconds()
    shares = {fate: Share() for fate in Fate}
    for page in journal.replay_candidates.pages(order):
        for receipt, fate in with_fates(journal, page, order, before, anonymous):
            share = shares[fate]
            share.count += 1
            share.amounts[receipt.currency] = share.amounts.get(receipt.currency, Decimal(0)) + Decimal(receipt.total)
    kept_since = "" if before is None else datetime.fromtimestamp(before, UTC).date().isoformat()
    return Plan(
        order=order,
        shares=shares,
        undated=journal.replay_candidates.undated(order.store, order.till),
        kept_since=kept_since if order.first < kept_since else "",
    )


def with_fates(
    journal: Journal, rows: list[ReplayCandidate], order: ReplayOrder, before: float | None, anonymous: bool
) -> Iterator[tuple[ReplayCandidate, Fate]]:
    """The receipts with their fates. Only bodies that decide a fate are read, and all of them at once."""
    wanted: list[int] = []

    def note(seq: int) -> bool:
        wanted.append(seq)
        return True

    for receipt in rows:
        fate_of(receipt, order, before, anonymous, note)
    stored = journal.bodies.stored(wanted) if wanted else {}
    for receipt in rows:
        yield receipt, fate_of(receipt, order, before, anonymous, lambda seq: journal.bodies.is_readable(seq, stored))

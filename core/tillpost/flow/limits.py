"""The limits of a pipeline's work: how often, how long, how many.

Each class holds the configuration keys of a slot that are the core's own; docs/config.md lists them. Every limit is
finite, and no wait may be zero: it would flood a destination that has just come back.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Literal
from zlib import crc32

import attrs

from tillpost.plugin import must

_YEAR = timedelta(days=366)


_wait = must("be longer than zero and at most 366d", lambda wait: timedelta(milliseconds=1) <= wait <= _YEAR)
_poll = must("be from 10ms to 1d", lambda wait: timedelta(milliseconds=10) <= wait <= timedelta(days=1))
_probe = must("be from 10s to 1d", lambda wait: timedelta(seconds=10) <= wait <= timedelta(days=1))
_attempts = must("be from 1 to 1000", lambda count: 1 <= count <= 1000)
_positive = must("be at least 1", lambda count: count >= 1)
_not_negative = must("not be negative", lambda number: number >= 0)


def _check_order(initial: timedelta, longest: timedelta) -> None:
    if longest < initial:
        raise ValueError("wait_max must not be shorter than wait_initial")


@attrs.frozen(kw_only=True)
class SourcePolicy:
    """Keys of `source`."""

    poll: timedelta = attrs.field(default=timedelta(seconds=1), validator=_poll)
    """Time between two rounds in which the source collects documents."""
    backlog: int = attrs.field(default=2_000_000, validator=_positive)
    """Unsettled receipts from which on a source that serves tells its senders to wait."""
    room: int = attrs.field(default=256 * 1024 * 1024, validator=_not_negative)
    """Free bytes on the disk below which a source that serves tells its senders to wait."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """Keys of `transport`: when one receipt is tried again by API."""

    attempts: int = attrs.field(default=6, validator=_attempts)
    """Attempts by API before the receipt goes by file; without a fallback it is tried again every `wait_max`."""
    wait_initial: timedelta = attrs.field(default=timedelta(seconds=10), validator=_wait)
    """Wait after the first failure; the next ones are 3, 6 and 30 times as long (10 s, 30 s, 60 s, 300 s)."""
    wait_max: timedelta = attrs.field(default=timedelta(seconds=300), validator=_wait)
    """The longest wait between two attempts."""
    confirm_after: timedelta = attrs.field(default=timedelta(minutes=20), validator=_wait)
    """Time the destination needs to show a receipt it accepted; before that its absence proves nothing.

    Engage imports receipts in a job every 15 minutes (Engage contract, "save a receipt").
    """
    confirm_within: timedelta = attrs.field(default=timedelta(hours=24), validator=_wait)
    """How long a receipt accepted by API may stay out of its contact's history before it is sent again or held."""
    revalidate: timedelta = attrs.field(default=timedelta(days=1), validator=_wait)
    """How long a contactId is used without asking the destination, where no history shows what became of receipts."""

    def __attrs_post_init__(self) -> None:
        _check_order(self.wait_initial, self.wait_max)


@attrs.frozen(kw_only=True)
class VerifyPolicy:
    """Which receipts accepted by API are looked for in Engage's histories, and how fast.

    receipts: all of them, one in SAMPLE (by a digest of the id, so the same ones always), or none.
    """

    SAMPLE: ClassVar[int] = 20
    receipts: Literal["all", "sample", "off"] = "all"
    share: Decimal = Decimal("0.2")
    """The part of the request rate that verification uses at most, and only of what everything else leaves."""

    def chooses(self, receipt_id: str) -> bool:
        """Whether the receipt is verified."""
        if self.receipts == "sample":
            return crc32(receipt_id.encode()) % self.SAMPLE == 0
        return self.receipts == "all"


@attrs.frozen(kw_only=True)
class FallbackPolicy:
    """Keys of `fallback`: when waiting receipts are written to files instead."""

    after: timedelta = attrs.field(default=timedelta(minutes=15), validator=_wait)
    """How long the destination has been unreachable before files are written."""
    every: timedelta = attrs.field(default=timedelta(minutes=5), validator=_wait)
    """Time between two batches of files while the outage lasts."""
    check_every: timedelta = attrs.field(default=timedelta(minutes=5), validator=_wait)
    """Time between two checks whether files were read and contacts have their ids."""
    confirm_within: timedelta = attrs.field(default=timedelta(hours=24), validator=_wait)
    """How long a transferred receipt may stay unconfirmed before a person is told."""
    alert_after: timedelta = attrs.field(default=timedelta(hours=3), validator=_wait)
    """How long an upload may fail, or a file lie unread in the destination's folder, before a person is told.

    Engage imports about hourly (Engage contract, file import).
    """
    conflicts: Literal["hold", "first"] = "hold"
    """What becomes of a contact whose keys lead to several: a person decides, or the first key does."""


@attrs.frozen(kw_only=True)
class TransferPolicy:
    """Keys of `transfer`: when a file is sent, and sent again."""

    when: Literal["restored", "asap"] = "restored"
    """`restored`: files go once the API answers again; `asap`: as soon as the file server answers."""
    wait_initial: timedelta = attrs.field(default=timedelta(seconds=10), validator=_wait)
    """Wait after the first failed transfer; the next ones are 3, 6 and 30 times as long."""
    wait_max: timedelta = attrs.field(default=timedelta(seconds=300), validator=_wait)
    """The longest wait between two transfers of a file."""
    probe_every: timedelta = attrs.field(default=timedelta(minutes=15), validator=_probe)
    """Time between two probes of the file server, also while the API answers; a minute after one that failed."""

    def __attrs_post_init__(self) -> None:
        _check_order(self.wait_initial, self.wait_max)

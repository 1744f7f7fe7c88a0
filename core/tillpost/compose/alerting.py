"""`[alerts]`: the alert rules and the channels of their notices. One table for all pipelines of a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import attrs

from tillpost.compose.hours import spans
from tillpost.plugin import Secret

RULES = (
    "paused",
    "oldest_undelivered",
    "held",
    "fallback",
    "not_consumed",
    "conflict",
    "disk_for_outage",
    "silence",
    "gap",
    "day_total",
    "mapping",
)
"""The rules, in the order in which they are evaluated. Without a key of their own: paused, not_consumed, conflict,
day_total, mapping."""
_YEAR = timedelta(days=366)


def _length(_: Any, field: attrs.Attribute[timedelta], value: timedelta) -> None:
    if not timedelta(seconds=1) <= value <= _YEAR:
        raise ValueError("must be from 1s to 366d")


def _hours(_: Any, field: attrs.Attribute[str], value: str) -> None:
    spans(value)


def _count(_: Any, field: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError("must be at least 1")


def _port(_: Any, field: attrs.Attribute[int], value: int) -> None:
    if not 1 <= value <= 65535:
        raise ValueError("must be from 1 to 65535")


def _some(_: Any, field: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value or not all(value):
        raise ValueError("must have at least one item, and none that is empty")


def _web(_: Any, field: attrs.Attribute[str], value: str) -> None:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError("must be an http or https address")


def _rules(_: Any, field: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if unknown := set(value) - set(RULES):
        raise ValueError(f"must be rules ({', '.join(RULES)}), without {', '.join(sorted(unknown))}")


@attrs.frozen(kw_only=True)
class Silence:
    """A till is silent when nothing of it was accepted for `after` while the store was open."""

    hours: str = attrs.field(validator=_hours)
    zone: ZoneInfo
    after: timedelta = attrs.field(default=timedelta(minutes=45), validator=_length)
    stores: tuple[str, ...] = ()
    """Only of these stores; none: of all."""


@attrs.frozen(kw_only=True)
class Webhook:
    """POSTs each notice as JSON."""

    url: str = attrs.field(validator=_web)
    headers: Mapping[str, Secret] = attrs.field(factory=dict, hash=False)


@attrs.frozen(kw_only=True)
class Email:
    """Sends each notice as a mail."""

    host: str
    sender: str
    to: tuple[str, ...] = attrs.field(validator=_some)
    port: int = attrs.field(default=587, validator=_port)
    tls: Literal["starttls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None

    def __attrs_post_init__(self) -> None:
        if self.password is not None and self.tls == "none":
            raise ValueError('a password is not sent without TLS: remove it, or write tls = "starttls"')


@attrs.frozen(kw_only=True)
class Alerting:
    """Keys of `[alerts]`. Every rule but `silence` has a default, so a channel is enough."""

    every: timedelta = attrs.field(default=timedelta(seconds=30), validator=_length)
    """Time between two evaluations of the rules."""
    oldest_undelivered: timedelta = attrs.field(default=timedelta(minutes=30), validator=_length)
    """The oldest receipt that is due is on its way for longer, while the destination answers."""
    held: int = attrs.field(default=1, validator=_count)
    """So many receipts are held, or more (but for those of a contact conflict)."""
    fallback: timedelta = attrs.field(default=timedelta(hours=1), validator=_length)
    """The destination has not answered for longer; with a fallback, files are written."""
    disk_for_outage: timedelta = attrs.field(default=timedelta(hours=72), validator=_length)
    """The room on the disk lasts less, at the rate at which receipts were accepted last."""
    gap: timedelta = attrs.field(default=timedelta(minutes=15), validator=_length)
    """A till's number is missing for longer after the number behind it came."""
    silence: tuple[Silence, ...] = ()
    off: tuple[str, ...] = attrs.field(default=(), validator=_rules)
    """Rules that are not evaluated."""
    command: tuple[str, ...] = ()
    """A program with its arguments; it gets each notice as JSON on its standard input."""
    webhook: Webhook | None = None
    email: Email | None = None

    def __attrs_post_init__(self) -> None:
        if not self.channels:
            raise ValueError("has no channel: add command, webhook or email")

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels there are."""
        given = {"command": self.command, "webhook": self.webhook, "email": self.email}
        return tuple(name for name, value in given.items() if value)

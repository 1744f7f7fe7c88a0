"""`[alerts]`: the alert rules and the channels of their notices. One table for all pipelines of a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import attrs

from tillpost.compose.opening_hours import parse_opening_hours
from tillpost.plugin import Secret, must

CHANNELS = ("command", "webhook", "email")
RULES = (
    "paused",
    "stopped",
    "thread",
    "oldest_undelivered",
    "overdue",
    "unverified",
    "held",
    "documents",
    "source",
    "set_aside",
    "observer",
    "fallback",
    "file_server",
    "not_consumed",
    "conflict",
    "journal",
    "disk",
    "disk_for_outage",
    "clock",
    "channel",
    "quiet",
    "silence",
    "gap",
    "day_total",
    "mapping",
    "stranded",
    "tenant",
)
"""The rules, in the order in which they are evaluated. Without a key of their own: paused, stopped, thread, overdue,
documents, source, set_aside, observer, file_server, not_consumed, conflict, disk, clock, day_total, mapping,
stranded, tenant."""


_duration = must("be from 1s to 366d", lambda value: timedelta(seconds=1) <= value <= timedelta(days=366))
_positive = must("be at least 1", lambda value: value >= 1)
_port = must("be from 1 to 65535", lambda value: 1 <= value <= 65535)
_filled = must("have at least one item, and none that is empty", lambda items: items and all(items))
_address = must(
    "be an http or https address",
    lambda text: urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).hostname),
)


def _hours(_: Any, field: attrs.Attribute[str], value: str) -> None:
    parse_opening_hours(value)


def _rules(_: Any, field: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if unknown := set(value) - set(RULES):
        raise ValueError(f"must be rules ({', '.join(RULES)}), without {', '.join(sorted(unknown))}")


@attrs.frozen(kw_only=True)
class Silence:
    """A till is silent when nothing of it was accepted for `after` while the store was open."""

    hours: str = attrs.field(validator=_hours)
    zone: ZoneInfo
    after: timedelta = attrs.field(default=timedelta(minutes=45), validator=_duration)
    stores: tuple[str, ...] = ()
    """Only these stores; empty: all."""


@attrs.frozen(kw_only=True)
class Webhook:
    """Each notice is POSTed as JSON."""

    url: str = attrs.field(validator=_address)
    headers: Mapping[str, Secret] = attrs.field(factory=dict, hash=False)


@attrs.frozen(kw_only=True)
class Email:
    """Each notice is sent as a mail."""

    host: str
    sender: str
    to: tuple[str, ...] = attrs.field(validator=_filled)
    port: int = attrs.field(default=587, validator=_port)
    tls: Literal["starttls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None

    def __attrs_post_init__(self) -> None:
        if self.password is not None and self.tls == "none":
            raise ValueError('a password is not sent without TLS: remove it, or write tls = "starttls"')


@attrs.frozen(kw_only=True)
class AlertSettings:
    """Keys of `[alerts]`. Every rule but `silence` has a default, and runs without the table too."""

    every: timedelta = attrs.field(default=timedelta(seconds=30), validator=_duration)
    """Time between two evaluations of the rules."""
    oldest_undelivered: timedelta = attrs.field(default=timedelta(minutes=30), validator=_duration)
    """The oldest receipt that is due waits for longer, while the destination answers."""
    unverified: timedelta = attrs.field(default=timedelta(hours=1), validator=_duration)
    """A delivered receipt should have been looked for in the destination's history for longer."""
    held: int = attrs.field(default=1, validator=_positive)
    """This many receipts are held, or more, without those of a contact conflict."""
    fallback: timedelta = attrs.field(default=timedelta(hours=1), validator=_duration)
    """The destination has not answered for longer."""
    disk_for_outage: timedelta = attrs.field(default=timedelta(hours=72), validator=_duration)
    """The free room on the disk lasts less, at the present rate of accepted receipts."""
    gap: timedelta = attrs.field(default=timedelta(minutes=15), validator=_duration)
    """A till's number is missing for longer after the next number came."""
    quiet: timedelta = attrs.field(default=timedelta(hours=3), validator=_duration)
    """Nothing of a store or till was accepted for this long, at a time when it sold in each of the last two weeks."""
    silence: tuple[Silence, ...] = ()
    off: tuple[str, ...] = attrs.field(default=(), validator=_rules)
    """Rules that are not evaluated."""
    command: tuple[str, ...] = ()
    """A program with its arguments; each notice is JSON on its standard input."""
    webhook: Webhook | None = None
    email: Email | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the configured channels; without one the alerts stand where people look, and none is sent."""
        given = {"command": self.command, "webhook": self.webhook, "email": self.email}
        return tuple(name for name, value in given.items() if value)

"""Rules about the destination, and about receipts that do not get there."""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.alerts.problem import Context, Problem
from tillpost.clock import iso
from tillpost.flow.breaker import PAUSED
from tillpost.terminal import counted


def paused(context: Context) -> Iterable[Problem]:
    if context.destination.state == PAUSED:
        yield Problem(
            "paused",
            f"paused since {iso(context.destination.since)}: {context.destination.reason}",
            "The destination answers and refuses the key or the settings. Nothing is sent; receipts are kept.",
            "Fix the key or the setting, run `tillpost check`, then restart `tillpost run`.",
        )


def fallback(context: Context) -> Iterable[Problem]:
    since = context.destination.unreachable_since
    if since is not None and context.now - since > context.limits.fallback.total_seconds():
        yield Problem(
            "fallback",
            f"no answer of the destination since {iso(since)} (state: {context.destination.state})",
            "An outage. Receipts are kept, and with a fallback written to files; delivery resumes by itself.",
            "Ask whether the destination or the network is down; watch the disk (`tillpost status`).",
        )


def oldest_undelivered(context: Context) -> Iterable[Problem]:
    if context.destination.state == PAUSED or context.destination.unreachable_since is not None:
        return  # the cause has an alert of its own
    oldest = context.journal.alert_inputs.oldest()
    if oldest is None:
        return
    since = max(oldest[1], context.destination.since)  # a backlog of an outage is not late when the outage ends
    if context.now - since > context.limits.oldest_undelivered.total_seconds():
        yield Problem(
            "oldest_undelivered",
            f"receipt {oldest[0]} was accepted at {iso(oldest[1])} and is not delivered",
            "The destination answers, but receipts are delivered too slowly.",
            f"`tillpost receipt {oldest[0]}` shows why, `tillpost status` how many are waiting.",
        )


def held(context: Context) -> Iterable[Problem]:
    count, reason = context.journal.alert_inputs.held()
    if count >= context.limits.held:
        yield Problem(
            "held",
            f"{counted(count, 'held receipt')}",
            f"Held receipts are not sent until a person decides. The first: {reason}",
            "`tillpost held list` shows them; then `tillpost held retry` or `tillpost held discard`.",
        )


def conflict(context: Context) -> Iterable[Problem]:
    if count := context.journal.contacts.counts()["conflicts"]:
        yield Problem(
            "conflict",
            f"{counted(count, 'contact')} with keys that lead to several contacts of the destination",
            "A person must say which one is meant; the receipts are held until then.",
            "`tillpost contacts conflicts` lists them; look them up in Engage, then `tillpost contacts resolve`.",
        )


def mapping(context: Context) -> Iterable[Problem]:
    if known := context.journal.mappings.awaiting_release():
        yield Problem(
            "mapping",
            f"the new mapping {known.fingerprint} waits for its release;"
            f" {counted(known.held, 'receipt')} mapped with it {'is' if known.held == 1 else 'are'} held",
            "Adapter, mapping, settings or version have changed. Nothing is sent until a person has decided.",
            "`tillpost diff` shows what would change; then `tillpost mapping release`, or undo the change.",
        )

"""Rules about the destination, and about receipts that do not get there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tillpost.alerts.problem import CLOCK_OFF, Context, Problem
from tillpost.clock import iso
from tillpost.flow.breaker import PAUSED, is_reachable
from tillpost.journal import HistoryState
from tillpost.journal.tables.taken_ids import TAKEN, TAKEN_BACK
from tillpost.terminal import counted

_OVERDUE = 900.0
"""Seconds that receipts may be due while nothing is sent."""
_MOST_CAUSES = 10
"""Causes of held receipts with an alert of their own."""
_CAUSE = 60
"""Characters of a cause."""
_PENDING = 300.0
"""Seconds that lookups may take to tell the tenant."""
_DAY = 86400.0
"""Seconds for which a change of the tenant is told."""


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
    if since is not None and context.lasted(since) > context.limits.fallback.total_seconds():
        yield Problem(
            "fallback",
            f"no answer of the destination since {iso(since)} (state: {context.destination.state})",
            "An outage. Receipts are kept, and with a fallback written to files; delivery resumes by itself.",
            "Ask whether the destination or the network is down; watch the disk (`tillpost status`).",
        )


def oldest_undelivered(context: Context) -> Iterable[Problem]:
    if context.destination.state == PAUSED or context.destination.unreachable_since is not None:
        return  # the cause has an alert of its own
    if any(overdue(context)):
        return
    oldest = context.journal.alert_inputs.oldest()
    if oldest is None:
        return
    receipt, accepted_at, reason = oldest
    # A backlog of an outage is not late when the outage ends.
    if (
        min(map(context.lasted, (accepted_at, context.destination.since)))
        > context.limits.oldest_undelivered.total_seconds()
    ):
        yield Problem(
            "oldest_undelivered",
            f"receipt {receipt} was accepted at {iso(accepted_at)} and is not delivered{reason and f': {reason}'}",
            f"The destination answers, but {'this receipt waits' if reason else 'receipts are delivered too slowly'}.",
            f"`tillpost receipt {receipt}` shows what was tried, `tillpost account` what waits for which reason.",
        )


def overdue(context: Context) -> Iterable[Problem]:
    if not is_reachable(context.destination) or context.journal.mappings.awaiting_release() is not None:
        return  # the cause has an alert of its own
    due = context.journal.receipts.next_due()
    if due is None or context.now - (since := max(due, _online_since(context))) <= _OVERDUE:
        return
    last = context.journal.alert_inputs.last_delivery_event(context.now + CLOCK_OFF)
    if last is None or context.now - last > _OVERDUE:
        yield Problem(
            "overdue",
            f"receipts are due since {iso(since)}, and none of them is sent",
            "The destination answers, and nothing works on what waits. Receipts are kept.",
            "Restart `tillpost run`; when that does not help, send the file of `tillpost bundle` to its vendor.",
        )


def _online_since(context: Context) -> float:
    since = context.destination.since
    return since if context.lasted(since) < float("inf") else 0.0


def unverified(context: Context) -> Iterable[Problem]:
    if not is_reachable(context.destination) or (
        context.journal.verification.history()[0] is HistoryState.NOT_TO_BE_HAD  # told once, by `tillpost status`
    ):
        return
    due = context.journal.verification.next_due()
    if due is None:
        return
    since = max(due, _online_since(context))
    if context.now - since > context.limits.unverified.total_seconds():
        yield Problem(
            "unverified",
            f"delivered receipts are to be looked for in Engage since {iso(since)}, and are not",
            "They are accepted by API, and whether Engage shows them is not known.",
            "`tillpost status` shows how many; give `transport` a higher `rate`, or set `verify` to a sample.",
        )


def held(context: Context) -> Iterable[Problem]:
    """One for each cause: the reasons without the figures in them."""
    causes: dict[str, tuple[str, int]] = {}
    reasons = context.journal.alert_inputs.held()
    if sum(count for _, count in reasons) < context.limits.held:
        return
    for reason, count in reasons:
        cause = cause_of(reason)
        if cause not in causes and len(causes) >= _MOST_CAUSES:
            cause = "other causes"
        first, before = causes.get(cause, (reason, 0))
        causes[cause] = first, before + count
    for cause, (reason, count) in causes.items():
        yield Problem(
            f"held {cause}",
            f"{counted(count, 'held receipt')}: {reason}{' (the first of them)' if count > 1 else ''}",
            "Held receipts are not sent until a person decides.",
            "`tillpost held list` shows them; then `tillpost held retry`, `correct` or `discard`, or"
            " `tillpost held return` for what was sent and changed since.",
        )


def cause_of(reason: str) -> str:
    """What reasons of one cause have in common: their words, without names in quotes, figures and ids."""
    if begin := next((each for each in (*TAKEN_BACK, TAKEN) if reason.startswith(each)), ""):
        return begin
    words = re.sub(r"""\"[^"]*\"|'[^']*'|\S*\d\S*""", " ", reason)
    return " ".join(re.findall(r"[^\W_]+", words.lower()))[:_CAUSE] or "without a reason"


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


def tenant(context: Context) -> Iterable[Problem]:
    known = context.journal.tenants.current()
    if known is not None and known.pending and context.lasted(known.pending_since) > _PENDING:
        yield Problem(
            "tenant",
            f"nothing is sent since {iso(known.pending_since)}: the destination is {known.pending} now, and was"
            f" {known.tenant.address}; no contact could be looked up to tell whether it is the same tenant",
            "Receipts are kept in the journal. No fallback file is written: it would name contacts by their ids.",
            "`tillpost status` shows why it does not answer. If the address is wrong, put `transport.url` back.",
        )
    elif known is not None and known.former and context.lasted(known.since) < _DAY:
        yield Problem(
            "tenant",
            f"another tenant since {iso(known.since)}: {known.tenant.address}, before {known.former}",
            "ContactIds of the former tenant are looked up again, and what it did not get goes to the new one.",
            "If that was not meant, put `transport.url` back and restart `tillpost run`. This alert ends after a day.",
        )

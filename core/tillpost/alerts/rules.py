"""The troubles of a pipeline as its journal shows them now: each names the cause, what it means and what to do.

A rule is a function from what is asked (`Asked`) to troubles; RULES has them in the order of
`tillpost.compose.alerting.RULES`. No text names a customer.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

import attrs

from tillpost.clock import iso
from tillpost.compose.alerting import Alerting, Silence
from tillpost.compose.hours import opened, spans
from tillpost.flow.breaker import PAUSED
from tillpost.journal import Alert, Destination, Journal, Till
from tillpost.reports.day import differences_since
from tillpost.reports.day_difference import Difference
from tillpost.reports.day_report import sentence
from tillpost.reports.gaps import TillGaps, gaps

_WEEK = timedelta(days=7)
_GONE = 14 * 86400.0
"""Seconds after which a till that says nothing is taken for one that is no longer there."""
_MOST = 5
"""Gaps a text names."""


@attrs.frozen
class Trouble:
    """What happened, what it means, what to do. key: one alert stands for a key at a time."""

    key: str
    what: str
    means: str
    next_step: str


def free(folder: Path) -> int:
    """Bytes left on the disk of a folder."""
    return shutil.disk_usage(folder).free


@attrs.frozen(kw_only=True)
class Asked:
    """One look: the journal, the rules' limits, and now. standing: the alerts of earlier looks by key.

    sequence: whether the adapter promises numbers without a gap. keep: the pipeline's retention. room: tells the bytes
    left on the disk of a folder.
    """

    pipeline: str
    journal: Journal
    limits: Alerting
    now: float
    standing: Mapping[str, Alert]
    sequence: bool
    keep: timedelta | None = None
    room: Callable[[Path], int] = free
    destination: Destination = attrs.field(
        default=attrs.Factory(lambda asked: asked.journal.destination.get(), takes_self=True)
    )


Rule = Callable[[Asked], Iterable[Trouble]]


def _paused(asked: Asked) -> Iterable[Trouble]:
    if asked.destination.state == PAUSED:
        yield Trouble(
            "paused",
            f"{asked.pipeline}: paused since {iso(asked.destination.since)}: {asked.destination.reason}",
            "The destination answers and refuses our key or settings. Nothing is sent; receipts are kept.",
            "Fix the key or the setting, run `tillpost check`, then restart `tillpost run`.",
        )


def _fallback(asked: Asked) -> Iterable[Trouble]:
    since = asked.destination.unreachable_since
    if since is not None and asked.now - since > asked.limits.fallback.total_seconds():
        yield Trouble(
            "fallback",
            f"{asked.pipeline}: no answer of the destination since {iso(since)} (state: {asked.destination.state})",
            "An outage. Receipts are kept, and with a fallback written to files; it goes on by itself when it is over.",
            "Ask whether the destination or the network is down; watch the disk (`tillpost status`).",
        )


def _oldest_undelivered(asked: Asked) -> Iterable[Trouble]:
    if asked.destination.state == PAUSED or asked.destination.unreachable_since is not None:
        return  # that has an alert of its own, and is the cause
    oldest = asked.journal.alert_inputs.oldest()
    if oldest is None:
        return
    since = max(oldest[1], asked.destination.since)  # what an outage has kept back is not late yet when that ends
    if asked.now - since > asked.limits.oldest_undelivered.total_seconds():
        yield Trouble(
            "oldest_undelivered",
            f"{asked.pipeline}: receipt {oldest[0]} was accepted at {iso(oldest[1])} and is not delivered",
            "The destination answers, yet receipts do not go out as fast as they should.",
            f"See why with `tillpost receipt {oldest[0]}`, and how many wait with `tillpost status`.",
        )


def _held(asked: Asked) -> Iterable[Trouble]:
    count, reason = asked.journal.alert_inputs.held()
    if count >= asked.limits.held:
        yield Trouble(
            "held",
            f"{asked.pipeline}: held receipts: {count}",
            f"They are not sent until a person decides. The first: {reason}",
            "`tillpost held list` shows them; then `tillpost held retry` or `tillpost held discard`.",
        )


def _not_consumed(asked: Asked) -> Iterable[Trouble]:
    for file in asked.journal.files.alerted():
        yield Trouble(
            f"not_consumed {file.name}",
            f"{asked.pipeline}: file {file.name} stays {file.state}: {file.reason}",
            "The receipts in it are not in Engage yet.",
            "Look at the folder and the rights there, ask for the import; `tillpost files show` tells the file.",
        )


def _conflict(asked: Asked) -> Iterable[Trouble]:
    if count := asked.journal.contacts.counts()["conflicts"]:
        yield Trouble(
            "conflict",
            f"{asked.pipeline}: contacts whose keys lead to several contacts of the destination: {count}",
            "Nobody but a person can say which one is meant; their receipts are held.",
            "`tillpost contacts conflicts`, look at them in Engage, then `tillpost contacts resolve`.",
        )


def _disk_for_outage(asked: Asked) -> Iterable[Trouble]:
    pace, room = asked.journal.alert_inputs.pace(asked.now), asked.room(asked.journal.folder)
    if pace and room / pace < asked.limits.disk_for_outage.total_seconds():
        yield Trouble(
            "disk_for_outage",
            f"{asked.pipeline}: the disk of {asked.journal.folder} has {room // 10**6} MB left, which is room for"
            f" {room / pace / 3600:.1f} h of receipts",
            "An outage longer than that would fill the disk, and then nothing more is accepted.",
            "Make room, move `state` to a larger disk, or set `keep` in the pipeline.",
        )


def _silence(asked: Asked) -> Iterable[Trouble]:
    for rule in asked.limits.silence:
        since = opened(spans(rule.hours), rule.zone, asked.now)
        for till in asked.journal.tills.all():
            if _silent(asked, rule, till, since):
                yield Trouble(
                    _till_key("silence", till),
                    f"{asked.pipeline}: till {till.till or '-'} of store {till.store} is silent: its last receipt,"
                    f" number {till.last_number}, was accepted at {iso(till.last_at)}",
                    "The store is open. Either the till sells nothing, or its receipts do not reach Tillpost.",
                    "Ask the store; look at the till's export and the way from there to the source.",
                )


def _silent(asked: Asked, rule: Silence, till: Till, since: float | None) -> bool:
    if (rule.stores and till.store not in rule.stores) or asked.now - till.last_at > _GONE:
        return False
    if (alert := asked.standing.get(_till_key("silence", till))) is not None:
        return till.last_at <= alert.raised_at  # closing time fixes nothing
    return since is not None and asked.now - max(since, till.last_at) > rule.after.total_seconds()


def _gap(asked: Asked) -> Iterable[Trouble]:
    if not asked.sequence:
        return
    for till in gaps(asked.journal, asked.now, _WEEK, keep=asked.keep):
        late = asked.now - asked.limits.gap.total_seconds()
        found = attrs.evolve(till, gaps=tuple(gap for gap in till.gaps if gap.since < late))
        if found.gaps:
            yield _gap_of(asked, found)


def _gap_of(asked: Asked, found: TillGaps) -> Trouble:
    named = [gap.first if gap.count == 1 else f"{gap.first} to {gap.last}" for gap in found.gaps[:_MOST]]
    more = f" and {len(found.gaps) - _MOST} more gaps" if len(found.gaps) > _MOST else ""
    return Trouble(
        f"gap {found.store}/{found.till}",
        f"{asked.pipeline}: till {found.till or '-'} of store {found.store}: missing numbers: {', '.join(named)}{more}",
        "The till has printed these numbers, and no receipt with them has come.",
        f"`tillpost gaps --store {found.store}` lists them; send the till's export of these days again.",
    )


def _day_total(asked: Asked) -> Iterable[Trouble]:
    """One a store's day, of the totals that were put in within a week."""
    days: dict[tuple[str, str], list[Difference]] = {}
    for each in differences_since(asked.journal, asked.now - _WEEK.total_seconds()):
        days.setdefault((each.store, each.date), []).append(each)
    for (store, day), found in days.items():
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield Trouble(
            f"day_total {store} {day}",
            f"{asked.pipeline}: {sentence(found[0])}{more}",
            "The till total of that day is not what the journal has.",
            f"`tillpost day {store} {day}` names the receipts that may explain it.",
        )


def _mapping(asked: Asked) -> Iterable[Trouble]:
    if known := asked.journal.mappings.standing():
        yield Trouble(
            "mapping",
            f"{asked.pipeline}: a new mapping {known.fingerprint} waits for its release; it was tried on {known.held}"
            " receipts, which are held",
            "Adapter, mapping, settings or version have changed. Nothing is sent until a person has looked.",
            "`tillpost diff` shows what it would change; then `tillpost mapping release`, or put the change back.",
        )


def _till_key(rule: str, till: Till) -> str:
    return f"{rule} {till.store}/{till.till}"


RULES: Mapping[str, Rule] = {
    "paused": _paused,
    "oldest_undelivered": _oldest_undelivered,
    "held": _held,
    "fallback": _fallback,
    "not_consumed": _not_consumed,
    "conflict": _conflict,
    "disk_for_outage": _disk_for_outage,
    "silence": _silence,
    "gap": _gap,
    "day_total": _day_total,
    "mapping": _mapping,
}


def troubles(asked: Asked, rules: Iterable[str]) -> dict[str, Trouble]:
    """What those rules find, by key."""
    return {trouble.key: trouble for rule in rules for trouble in RULES[rule](asked)}

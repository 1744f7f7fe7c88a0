"""The alert rules: each finds problems of a pipeline in its journal, with the cause, what it means and what to do.

A rule is a function from a `Context` to problems; RULES has them in the order of
`tillpost.compose.alert_settings.RULES`. No text names a customer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

import attrs

from tillpost.clock import iso
from tillpost.compose.alert_settings import AlertSettings, Silence
from tillpost.compose.opening_hours import open_since, parse_opening_hours
from tillpost.flow.breaker import PAUSED
from tillpost.journal import Alert, Destination, Journal, Till
from tillpost.journal.queries.file_states import StuckFile
from tillpost.reports.day import differences_since
from tillpost.reports.day_difference import Difference
from tillpost.reports.day_report import sentence
from tillpost.reports.gaps import gaps
from tillpost.reports.plan import weigh
from tillpost.terminal import counted

_WEEK = timedelta(days=7)
_GONE = 14 * 86400.0
"""Seconds after which a silent till counts as taken out of service."""
_MOST = 5
"""Gaps that a text names."""


@attrs.frozen
class Problem:
    """What happened, what it means, what to do. key: at most one alert of a key stands at a time."""

    key: str
    what: str
    means: str
    next_step: str


@attrs.frozen(kw_only=True)
class Context:
    """What the rules evaluate: the journal, the limits, and now. standing: the alerts raised before, by key.

    sequence: whether the adapter promises numbers without a gap. keep: the pipeline's retention.
    """

    pipeline: str
    journal: Journal
    limits: AlertSettings
    now: float
    standing: Mapping[str, Alert]
    sequence: bool
    keep: timedelta | None = None
    destination: Destination = attrs.field(
        default=attrs.Factory(lambda context: context.journal.destination.get(), takes_self=True)
    )


Rule = Callable[[Context], Iterable[Problem]]


def _paused(context: Context) -> Iterable[Problem]:
    if context.destination.state == PAUSED:
        yield Problem(
            "paused",
            f"paused since {iso(context.destination.since)}: {context.destination.reason}",
            "The destination answers and refuses the key or the settings. Nothing is sent; receipts are kept.",
            "Fix the key or the setting, run `tillpost check`, then restart `tillpost run`.",
        )


def _fallback(context: Context) -> Iterable[Problem]:
    since = context.destination.unreachable_since
    if since is not None and context.now - since > context.limits.fallback.total_seconds():
        yield Problem(
            "fallback",
            f"no answer of the destination since {iso(since)} (state: {context.destination.state})",
            "An outage. Receipts are kept, and with a fallback written to files; delivery resumes by itself.",
            "Ask whether the destination or the network is down; watch the disk (`tillpost status`).",
        )


def _oldest_undelivered(context: Context) -> Iterable[Problem]:
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


def _held(context: Context) -> Iterable[Problem]:
    count, reason = context.journal.alert_inputs.held()
    if count >= context.limits.held:
        yield Problem(
            "held",
            f"{counted(count, 'held receipt')}",
            f"Held receipts are not sent until a person decides. The first: {reason}",
            "`tillpost held list` shows them; then `tillpost held retry` or `tillpost held discard`.",
        )


def _not_consumed(context: Context) -> Iterable[Problem]:
    return map(stuck_file, context.journal.file_states.stuck())


def stuck_file(file: StuckFile) -> Problem:
    """A fallback file that is not taken or not imported."""
    return Problem(
        f"not_consumed {file.name}",
        f"file {file.name} is still {file.state}: {file.reason}",
        "The receipts in it are not in Engage yet.",
        "Check the folder and its permissions; ask for the import. `tillpost files show` has more.",
    )


def _conflict(context: Context) -> Iterable[Problem]:
    if count := context.journal.contacts.counts()["conflicts"]:
        yield Problem(
            "conflict",
            f"{counted(count, 'contact')} with keys that lead to several contacts of the destination",
            "A person must say which one is meant; the receipts are held until then.",
            "`tillpost contacts conflicts` lists them; look them up in Engage, then `tillpost contacts resolve`.",
        )


def _disk_for_outage(context: Context) -> Iterable[Problem]:
    rate = context.journal.alert_inputs.acceptance_rate(context.now) * weigh(context.journal).on_disk()
    free, _ = context.journal.room()
    if rate and free / rate < context.limits.disk_for_outage.total_seconds():
        yield Problem(
            "disk_for_outage",
            f"the disk of {context.journal.folder} has {free // 10**6} MB free, enough for"
            f" {free / rate / 3600:.1f} h of receipts",
            "A longer outage would fill the disk, and then nothing more is accepted.",
            "Free disk space, move `state` to a larger disk, or set `keep` in the pipeline.",
        )


def _silence(context: Context) -> Iterable[Problem]:
    for rule in context.limits.silence:
        since = open_since(parse_opening_hours(rule.hours), rule.zone, context.now)
        for till in context.journal.tills.all():
            if _silent(context, rule, till, since):
                yield Problem(
                    _till_key("silence", till),
                    f"till {till.till or '-'} of store {till.store} is silent: its last receipt,"
                    f" number {till.last_number}, was accepted at {iso(till.last_at)}",
                    "The store is open. The till sells nothing, or its receipts do not reach Tillpost.",
                    "Ask the store; check the till's export and the transfer from there to the source.",
                )


def _silent(context: Context, rule: Silence, till: Till, since: float | None) -> bool:
    if (rule.stores and till.store not in rule.stores) or context.now - till.last_at > _GONE:
        return False
    if (alert := context.standing.get(_till_key("silence", till))) is not None:
        return till.last_at <= alert.raised_at  # closing time does not end it
    return since is not None and context.now - max(since, till.last_at) > rule.after.total_seconds()


def _gap(context: Context) -> Iterable[Problem]:
    if not context.sequence:
        return
    late = context.now - context.limits.gap.total_seconds()
    for till in gaps(context.journal, context.now, _WEEK, keep=context.keep):
        if not (found := [gap for gap in till.gaps if gap.since < late]):
            continue
        named = [gap.first if gap.count == 1 else f"{gap.first} to {gap.last}" for gap in found[:_MOST]]
        more = f" and {len(found) - _MOST} more gaps" if len(found) > _MOST else ""
        yield Problem(
            f"gap {till.store}/{till.till}",
            f"till {till.till or '-'} of store {till.store}: missing numbers: {', '.join(named)}{more}",
            "The till has used these numbers, and no receipt with them has arrived.",
            f"`tillpost gaps --store {till.store}` lists them; send the till's export of these days again.",
        )


def _day_total(context: Context) -> Iterable[Problem]:
    """One for each store's day, of the totals given within a week."""
    days: dict[tuple[str, str], list[Difference]] = {}
    for difference in differences_since(context.journal, context.now - _WEEK.total_seconds()):
        days.setdefault((difference.store, difference.date), []).append(difference)
    for (store, day), found in days.items():
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield Problem(
            f"day_total {store} {day}",
            f"{sentence(found[0])}{more}",
            "The till total of that day is not what the journal has.",
            f"`tillpost day {store} {day}` names the receipts that may explain it.",
        )


def _mapping(context: Context) -> Iterable[Problem]:
    if known := context.journal.mappings.awaiting_release():
        yield Problem(
            "mapping",
            f"the new mapping {known.fingerprint} waits for its release;"
            f" {counted(known.held, 'receipt')} mapped with it {'is' if known.held == 1 else 'are'} held",
            "Adapter, mapping, settings or version have changed. Nothing is sent until a person has decided.",
            "`tillpost diff` shows what would change; then `tillpost mapping release`, or undo the change.",
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


def evaluate(context: Context, rules: Iterable[str]) -> dict[str, Problem]:
    """The problems that these rules find, by key."""
    return {
        problem.key: attrs.evolve(problem, what=f"{context.pipeline}: {problem.what}")
        for rule in rules
        for problem in RULES[rule](context)
    }


def standing_alerts(journal: Journal) -> list[Alert]:
    """The alerts of the rules, and those of fallback files, which stand without `[alerts]` too; the oldest first."""
    alerts = journal.alerts.standing()
    known = {alert.key for alert in alerts}
    for file in journal.file_states.stuck():
        problem = stuck_file(file)
        if problem.key not in known:
            alerts.append(Alert(0, problem.key, problem.what, problem.means, problem.next_step, file.alerted_at, None))
    return sorted(alerts, key=lambda alert: alert.raised_at)

"""Rules about what tills send: silence, missing numbers, day totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from tillpost.alerts.problem import Context, Problem
from tillpost.clock import iso
from tillpost.compose.alert_settings import Silence
from tillpost.compose.opening_hours import open_since, parse_opening_hours
from tillpost.journal import Till
from tillpost.reports.day import differences_since
from tillpost.reports.day_difference import Difference
from tillpost.reports.day_report import sentence
from tillpost.reports.gaps import gaps
from tillpost.terminal import span

_WEEK = timedelta(days=7)
_GONE = 14 * 86400.0
"""Seconds after which a silent till counts as taken out of service."""
_MOST = 5
"""Gaps or stores that a text names."""
_WEEKS = 2
"""Weeks that show what is usual."""
_USUAL = 10
"""Receipts at the same time of each of those weeks from which on a store or till usually sells then."""
_ALL = "\0"
"""Stands for all tills of a store."""


def silence(context: Context) -> Iterable[Problem]:
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


def quiet(context: Context) -> Iterable[Problem]:
    """Stores of which nothing comes at a time when much came in each of the last weeks, and such tills of others."""
    end, inputs, length = context.now, context.journal.alert_inputs, context.limits.quiet.total_seconds()
    usual: dict[tuple[str, str], int] | None = None
    for weeks in range(1, _WEEKS + 1):
        begin = end - weeks * _WEEK.total_seconds()
        sold = _with_stores(inputs.accepted_between(begin - length, begin))
        known = sold if usual is None else usual
        usual = {who: min(sold[who], known[who]) for who in sold.keys() & known.keys() if sold[who] >= _USUAL}
        if not usual:
            return
    now = _with_stores(inputs.accepted_between(end - length, end + 1))
    silent = {who: count for who, count in sorted((usual or {}).items()) if who not in now}
    stores = {store: count for (store, till), count in silent.items() if till == _ALL}
    tills = {who: count for who, count in silent.items() if who[1] != _ALL and who[0] not in stores}
    weeks_ago = f"At this time of the week they sold in each of the last {_WEEKS} weeks."
    if stores:
        named = _list(f"{store} (usually {count} or more)" for store, count in stores.items())
        yield Problem(
            "quiet stores",
            f"no receipt for {span(length)} of {'these stores' if now else 'any store'}: {named}",
            f"{weeks_ago} Their receipts do not reach Tillpost, or they are closed today.",
            "Ask a store; check the till's export and the way from there to the source.",
        )
    if tills:
        named = _list(
            f"{till or '-'} of store {store} (usually {count} or more)" for (store, till), count in tills.items()
        )
        yield Problem(
            "quiet tills",
            f"no receipt for {span(length)} of these tills, while their stores sell: {named}",
            f"{weeks_ago} Their receipts do not reach Tillpost, or nobody works at them today.",
            "Ask the store; check the till's export and the way from there to the source.",
        )


def _with_stores(tills: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """The counts of the tills, and of each whole store under the till _ALL."""
    found = dict(tills)
    for (store, _), count in tills.items():
        found[store, _ALL] = found.get((store, _ALL), 0) + count
    return found


def _list(names: Iterable[str]) -> str:
    named = list(names)
    return ", ".join(named[:_MOST]) + (f" and {len(named) - _MOST} more" if len(named) > _MOST else "")


def gap(context: Context) -> Iterable[Problem]:
    if not context.sequence:
        return
    wait = context.limits.gap.total_seconds()
    for till in gaps(context.journal, context.now, _WEEK, keep=context.keep):
        if not (found := [missing for missing in till.gaps if context.lasted(missing.since) > wait]):
            continue
        named = [each.first if each.count == 1 else f"{each.first} to {each.last}" for each in found[:_MOST]]
        more = f" and {len(found) - _MOST} more gaps" if len(found) > _MOST else ""
        yield Problem(
            f"gap {till.store}/{till.till}",
            f"till {till.till or '-'} of store {till.store}: missing numbers: {', '.join(named)}{more}",
            "The till has used these numbers, and no receipt with them has arrived.",
            f"`tillpost gaps --store {till.store}` lists them; send the till's export of these days again.",
        )


def day_total(context: Context) -> Iterable[Problem]:
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


def _till_key(rule: str, till: Till) -> str:
    return f"{rule} {till.store}/{till.till}"

"""Stores and their tills, each in one row: when it was last seen, what it sent today, and what still waits."""

from __future__ import annotations

from datetime import date

import attrs

from tillpost.journal import Journal


@attrs.frozen(kw_only=True)
class TillView:
    """A till.

    last_seen: when its latest receipt was accepted, seconds since 1970; None for records whose till could not be read.
    today: receipts of today's business date. undelivered: neither delivered, held nor skipped. oldest_age: seconds
    since the first of those was accepted.
    """

    store: str
    till: str
    last_seen: float | None
    last_number: str
    today: int
    undelivered: int
    held: int
    oldest_age: float | None


def stores(journal: Journal, now: float, today: date) -> list[TillView]:
    """Every till that was ever seen, by store. today: the business date."""
    seen = {(each.store, each.till): each for each in journal.tills.all()}
    waiting = {(each.store, each.till): each for each in journal.backlogs.by_till()}
    counts = {store: journal.day_totals.counts(store, today.isoformat()) for store in {store for store, _ in seen}}
    found: list[TillView] = []
    for store, till in sorted(seen.keys() | waiting.keys(), key=_order):
        last, backlog = seen.get((store, till)), waiting.get((store, till))
        oldest = backlog.oldest if backlog else None
        found.append(
            TillView(
                store=store,
                till=till,
                last_seen=last.last_at if last else None,
                last_number=last.last_number if last else "",
                today=counts.get(store, {}).get(till, 0),
                undelivered=backlog.undelivered if backlog else 0,
                held=backlog.held if backlog else 0,
                oldest_age=None if oldest is None else max(0.0, now - oldest),
            )
        )
    return found


def by_store(tills: list[TillView]) -> list[TillView]:
    """The same, one row a store; `till` says how many there are."""
    found: dict[str, list[TillView]] = {}
    for each in tills:
        found.setdefault(each.store, []).append(each)
    return list(map(_merged, found.values()))


def _merged(listed: list[TillView]) -> TillView:
    return attrs.evolve(
        max(listed, key=lambda each: each.last_seen or 0.0),
        till=str(len(listed)),
        today=sum(each.today for each in listed),
        undelivered=sum(each.undelivered for each in listed),
        held=sum(each.held for each in listed),
        oldest_age=max((each.oldest_age for each in listed if each.oldest_age is not None), default=None),
    )


def _order(key: tuple[str, str]) -> tuple[tuple[int, str], ...]:
    """Numbers by value."""
    return tuple((len(part) if part.isdigit() else 99, part) for part in key)

"""The first page: each pipeline's receipts by state, what needs attention, destination, charts and tills."""

from __future__ import annotations

from typing import Any

import attrs

from tillpost.alerts.standing import standing_alerts
from tillpost.flow.breaker import is_reachable
from tillpost.journal import Journal, State
from tillpost.reports.labels import ROUTES
from tillpost.reports.timeline import event_detail
from tillpost.web import charts
from tillpost.web.request import Answer, Request
from tillpost.web.site import Site

HELD = 20
"""Held receipts that are listed; a link leads to the others."""
HISTORY = 20
TILLS = 200


@attrs.frozen
class Step:
    """A state of receipts: how many, and since when the oldest is in the journal."""

    name: str
    state: str
    count: int
    route: str = ""
    oldest: float | None = None


def show(site: Site, request: Request) -> Answer:
    """`/`"""
    pipelines = [_pipeline(site, name, journal) for name, journal in site.journals.items()]
    return site.page(request, "overview.html", pipelines=pipelines)


def _pipeline(site: Site, name: str, journal: Journal) -> dict[str, Any]:
    destination = journal.destination.get()
    counts, routes = journal.receipts.counts(), journal.receipts.routes()
    samples = site.samples.of(name)
    tills = journal.tills.all()
    history = [
        (at, state, event_detail(detail).get("reason", "")) for at, state, detail in journal.destination.history()
    ]
    alerts = standing_alerts(journal)
    new_mapping = journal.mappings.awaiting_release()
    return {
        "name": name,
        "destination": destination,
        "reachable": is_reachable(destination),
        "rows": _rows(journal, counts, routes),
        "counts": counts,
        "unsettled": samples[-1].backlog,
        "skipped": journal.receipts.skipped(),
        "ignored": journal.receipts.ignored(),
        "charts": [charts.backlog(samples), charts.rate(samples)],
        "history": history[: -HISTORY - 1 : -1],
        "alerts": alerts,
        "new_mapping": new_mapping,
        "needs_attention": bool(alerts or counts[State.HELD] or new_mapping),
        "tills": sorted(tills, key=lambda till: till.last_at, reverse=True)[:TILLS],
        "till_count": len(tills),
        "held": journal.search.latest(State.HELD, HELD),
        "removed": journal.retention.count_removed(),
    }


def _rows(journal: Journal, counts: dict[str, int], routes: dict[str, int]) -> list[tuple[str, list[Step]]]:
    def step(state: State) -> Step:
        count = counts[state]
        return Step(state, state, count, oldest=journal.ages.oldest(state).get(state) if count else None)

    def delivered(route: str) -> Step:
        return Step(f"delivered {ROUTES[route]}", "delivered", routes[route], route)

    by_api = [*map(step, (State.ACCEPTED, State.RESOLVED, State.WAITING, State.UNCERTAIN)), delivered("api")]
    skipped = Step("skipped", "skipped", counts[State.SKIPPED])
    by_file = [*map(step, (State.WRITTEN, State.TRANSFERRED)), delivered("file")]
    return [("By API", by_api), ("By file, in an outage", by_file), ("Not sent", [step(State.HELD), skipped])]

"""The first page: each pipeline's line as a picture, its destination, charts, tills, and what is held."""

from __future__ import annotations

import json
from typing import Any

import attrs

from tillpost.flow.breaker import is_reachable
from tillpost.journal import Journal, State
from tillpost.web import charts
from tillpost.web.desk import Desk
from tillpost.web.request import Answer, Request

HELD = 20
"""Held receipts that are listed; the rest is a link away."""
HISTORY = 20
TILLS = 200


@attrs.frozen
class Step:
    """A place on the line: how many receipts stand there, and since when the oldest is in the journal."""

    name: str
    state: str
    count: int
    route: str = ""
    oldest: float | None = None
    far: bool = False
    """Whether it is one where nothing more happens."""


def show(desk: Desk, request: Request) -> Answer:
    """`/`"""
    pipelines = [_pipeline(desk, name, journal) for name, journal in desk.journals.items()]
    return desk.page(request, "overview.html", pipelines=pipelines)


def _pipeline(desk: Desk, name: str, journal: Journal) -> dict[str, Any]:
    destination = journal.destination.get()
    counts, routes = journal.receipts.counts(), journal.receipts.routes()
    samples = desk.samples.of(name)
    tills = journal.tills.all()
    history = [(at, state, json.loads(told).get("reason", "")) for at, state, told in journal.destination.history()]
    return {
        "name": name,
        "destination": destination,
        "reachable": is_reachable(destination),
        "rows": _rows(journal, counts, routes),
        "counts": counts,
        "unsettled": samples[-1].backlog,
        "charts": [charts.backlog(samples), charts.rate(samples)],
        "history": history[: -HISTORY - 1 : -1],
        "alerts": journal.file_states.stuck(),
        "tills": sorted(tills, key=lambda till: till.last_at, reverse=True)[:TILLS],
        "till_count": len(tills),
        "held": journal.search.latest(State.HELD, HELD),
        "contacts": journal.contacts.counts(),
        "removed": journal.retention.count_removed(),
    }


def _rows(journal: Journal, counts: dict[str, int], routes: dict[str, int]) -> list[tuple[str, list[Step]]]:
    def step(state: State) -> Step:
        count = counts[state]
        return Step(state, state, count, oldest=journal.ages.oldest(state).get(state) if count else None)

    def delivered(route: str) -> Step:
        return Step(f"delivered by {'API' if route == 'api' else route}", "delivered", routes[route], route, far=True)

    return [
        (
            "By API",
            [
                *map(step, (State.ACCEPTED, State.RESOLVED, State.WAITING, State.UNCERTAIN)),
                delivered("api"),
            ],
        ),
        ("By file, in an outage", [*map(step, (State.WRITTEN, State.TRANSFERRED)), delivered("file")]),
        (
            "Aside",
            [step(State.HELD), Step("skipped", "skipped", counts[State.SKIPPED], far=True)],
        ),
    ]

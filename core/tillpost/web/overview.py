"""The first page (each pipeline's receipts by state, what needs attention, charts, tills), files, contacts."""

from __future__ import annotations

from typing import Any

import attrs

from tillpost.alerts.standing import Watched, standing_alerts
from tillpost.flow.breaker import is_reachable
from tillpost.journal import DocumentState, FileState, Journal, KnownMapping, State, StepSetAside
from tillpost.journal.tables.losses import Loss
from tillpost.reports.labels import ROUTES
from tillpost.reports.timeline import event_detail
from tillpost.reports.verification import sentence
from tillpost.terminal import counted
from tillpost.web import charts
from tillpost.web.request import Answer, Request
from tillpost.web.site import LISTED, Site

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


def files(site: Site, request: Request) -> Answer:
    """`/files`: the fallback files by state."""
    pipelines = [
        (name, each.file_states.counts(), [file for state in FileState for file in each.search.files(state, LISTED)])
        for name, each in site.journals.items()
    ]
    return site.page(request, "files.html", pipelines=pipelines)


def contacts(site: Site, request: Request) -> Answer:
    """`/contacts`: those that are pending, in conflict or have unsaved fields."""
    pipelines = [
        (name, each.contacts.counts(), each.search.open_contacts(LISTED)) for name, each in site.journals.items()
    ]
    return site.page(request, "contacts.html", pipelines=pipelines)


def _pipeline(site: Site, name: str, journal: Journal) -> dict[str, Any]:
    destination = journal.destination.get()
    counts, routes = journal.receipts.counts(), journal.receipts.routes()
    samples = site.samples.of(name)
    tills = journal.tills.all()
    history = [
        (at, state, event_detail(detail).get("reason", "")) for at, state, detail in journal.destination.history()
    ]
    watched = Watched(name=name, limits=site.limits(), line=site.lines.get(name))
    alerts = standing_alerts(journal, watched, site.clock.time())
    set_aside = journal.documents.count_open().get(DocumentState.SET_ASIDE, 0)
    rules, new_mapping = {alert.rule for alert in alerts}, journal.mappings.awaiting_release()
    losses, failing = journal.losses.open(), journal.steps_set_aside.standing(site.clock.time())
    return {
        "name": name,
        "destination": destination,
        "reachable": is_reachable(destination),
        "rows": _rows(journal, counts, routes),
        "counts": counts,
        "unsettled": samples[-1].backlog,
        "verification": sentence(journal.verification.stand(), site.clock.time()),
        "skipped": journal.receipts.skipped(),
        "ignored": journal.receipts.ignored(),
        "charts": [charts.backlog(samples), charts.rate(samples)],
        "history": history[: -HISTORY - 1 : -1],
        "alerts": alerts,
        "needs": _needs(rules, losses, set_aside, new_mapping, failing),
        "file_server": journal.file_server.get(),
        "needs_attention": bool(alerts or counts[State.HELD] or losses or set_aside or new_mapping or failing),
        "tills": sorted(tills, key=lambda till: till.last_at, reverse=True)[:TILLS],
        "till_count": len(tills),
        "held": journal.search.latest(State.HELD, HELD),
        "removed": journal.retention.count_removed(),
    }


def _needs(
    rules: set[str], losses: list[Loss], set_aside: int, new_mapping: KnownMapping | None, failing: list[StepSetAside]
) -> list[str]:
    """What needs a person and has no alert, since its rule is off."""
    needs = [] if "journal" in rules else [f"{loss.what}: {loss.next_step}." for loss in losses]
    if set_aside and "documents" not in rules:
        needs.append(f"{counted(set_aside, 'document')} set aside: `tillpost documents list` shows the reasons.")
    if not rules & {"set_aside", "observer"}:
        needs += [f"{each.reason}. Correct or update the plugin." for each in failing]
    if new_mapping is not None and "mapping" not in rules:
        needs.append(
            f"The new mapping {new_mapping.fingerprint} waits for its release: `tillpost diff` shows what it changes,"
            " `tillpost mapping release` sends with it."
        )
    return needs


def _rows(journal: Journal, counts: dict[str, int], routes: dict[str, int]) -> list[tuple[str, list[Step]]]:
    def step(state: State) -> Step:
        count = counts[state]
        return Step(state, state, count, oldest=journal.backlogs.oldest(state).get(state) if count else None)

    def delivered(route: str) -> Step:
        return Step(f"delivered {ROUTES[route]}", "delivered", routes[route], route)

    by_api = [*map(step, (State.ACCEPTED, State.RESOLVED, State.WAITING, State.UNCERTAIN)), delivered("api")]
    skipped = Step("skipped", "skipped", counts[State.SKIPPED])
    by_file = [*map(step, (State.WRITTEN, State.TRANSFERRED)), delivered("file")]
    return [("By API", by_api), ("By file, in an outage", by_file), ("Not sent", [step(State.HELD), skipped])]

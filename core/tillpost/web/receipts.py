"""The search for receipts, lists of them, and the page of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tillpost.journal import Entry, Journal, State
from tillpost.reports.labels import ROUTES
from tillpost.reports.timeline import contact_of, detail_text, flags_of, timeline
from tillpost.web.request import Answer, Failure, Request
from tillpost.web.site import LISTED, Site

EVENTS = 200
"""Events of a contact on the page of a receipt."""


def find(site: Site, request: Request) -> Answer:
    """`POST /receipts`: the text stays out of the address, which browsers keep: it may name a customer."""
    return _search(site, request, request.form)


def show(site: Site, request: Request) -> Answer:
    """`/receipts`: those in a state, of a contact, or of a search."""
    query = request.query
    if query.get("state"):
        state, route = query["state"], query.get("route", "")
        if state not in State.__members__.values():
            raise Failure(404, "No such state.")
        title = f"{state} {ROUTES.get(route, route)}".strip()
        return _list(site, request, title, {n: _in_state(j, state, route) for n, j in _journals(site, query).items()})
    if key := query.get("contact"):
        found = {n: j.receipts.find({"contact": key}, LISTED) for n, j in site.journals.items()}
        return _list(site, request, f"of contact {key}", found)
    return _search(site, request, query)


def _in_state(journal: Journal, state: str, route: str) -> list[Entry]:
    if route or state != State.DELIVERED:
        return journal.search.latest(state, LISTED, route)
    both = journal.search.latest(state, LISTED, "api") + journal.search.latest(state, LISTED, "file")
    return sorted(both, key=lambda entry: -entry.seq)[:LISTED]


def _journals(site: Site, query: Any) -> dict[str, Journal]:
    name = query.get("pipeline")
    return {n: journal for n, journal in site.journals.items() if name in (None, n)}


def _search(site: Site, request: Request, values: Any) -> Answer:
    text, store = values.get("q", "").strip(), values.get("store", "").strip()
    if not text:
        return _list(site, request, "", {}, store=store)
    found = {name: _found(journal, text, store) for name, journal in site.journals.items()}
    if any(found.values()):
        return _list(site, request, "found", found, q=text, store=store)
    for journal in site.journals.values():
        if keys := [text] if journal.search.has_contact(text) else journal.search.contacts_known_by(text):
            # Redirect to an address with the local key of the contact: the text is personal data.
            where = urlencode({"contact": keys[0]})
            return Answer(body=b"", status=303, headers=(("Location", f"/receipts?{where}"),))
    return _list(site, request, "found", {}, store=store)


def _found(journal: Journal, text: str, store: str) -> list[Entry]:
    one = journal.receipts.get(text)
    if one is not None:
        return [one]
    by_number = journal.receipts.find({"number": text, **({"store": store} if store else {})}, LISTED)
    return by_number or journal.receipts.find({"file": text}, LISTED)


def _list(
    site: Site, request: Request, title: str, found: dict[str, list[Entry]], q: str = "", store: str = ""
) -> Answer:
    rows = [(name, entry) for name, entries in found.items() for entry in entries]
    return site.page(request, "receipts.html", title=title, rows=rows, q=q, store=store)


def locate(site: Site, request: Request, receipt_id: str) -> tuple[str, Entry]:
    """The pipeline and the row of a receipt; the address names the pipeline where several have the id."""
    for name, journal in _journals(site, request.query).items():
        if (entry := journal.receipts.get(receipt_id)) is not None:
            return name, entry
    raise Failure(404, "No such receipt in the journal.")


def receipt_page(site: Site, request: Request, receipt_id: str, personal: Any = None) -> Answer:
    """`/receipts/ID`: its state and its timeline. personal: the personal data a person asked for."""
    name, entry = locate(site, request, receipt_id)
    journal = site.journals[name]
    contact = contact_of(journal, entry)
    told = timeline(journal, entry, EVENTS)
    events = [event | {"detail": detail_text(event["detail"])} for event in told]
    return site.page(
        request, "receipt.html", pipeline=name, entry=entry, contact=contact, events=events, flags=flags_of(told),
        personal=personal,
    )  # fmt: skip

"""Finding receipts, and the life of one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from tillpost.journal import Entry, Journal, State
from tillpost.web.desk import Desk
from tillpost.web.request import Answer, Failure, Request

MOST = 100
"""Receipts in a list."""
EVENTS = 200
RAW = 64 << 10
"""Bytes of a record that are shown."""


def find(desk: Desk, request: Request) -> Answer:
    """`POST /receipts`: what was typed, not in the address, where browsers would keep it: it may name a customer."""
    return _search(desk, request, request.form)


def show(desk: Desk, request: Request) -> Answer:
    """`/receipts`: those in a state, of a contact, or found."""
    query = request.query
    if query.get("state"):
        state, route = query["state"], query.get("route", "")
        if state not in State.__members__.values():
            raise Failure(404, "There is no such state.")
        title = f"{state} by {route}" if route else state
        return _list(desk, request, title, {n: _in_state(j, state, route) for n, j in _asked(desk, query).items()})
    if key := query.get("contact"):
        found = {n: j.receipts.find({"contact": key}, MOST) for n, j in desk.journals.items()}
        return _list(desk, request, f"of contact {key}", found)
    return _search(desk, request, query)


def _in_state(journal: Journal, state: str, route: str) -> list[Entry]:
    if route or state != State.DELIVERED:
        return journal.search.latest(state, MOST, route)
    both = journal.search.latest(state, MOST, "api") + journal.search.latest(state, MOST, "file")
    return sorted(both, key=lambda entry: -entry.seq)[:MOST]


def _asked(desk: Desk, query: Any) -> dict[str, Journal]:
    name = query.get("pipeline")
    return {n: journal for n, journal in desk.journals.items() if name in (None, n)}


def _search(desk: Desk, request: Request, asked: Any) -> Answer:
    text, store = asked.get("q", "").strip(), asked.get("store", "").strip()
    if not text:
        return _list(desk, request, "", {}, store=store)
    found = {name: _found(journal, text, store) for name, journal in desk.journals.items()}
    if any(found.values()):
        return _list(desk, request, "found", found, q=text, store=store)
    for journal in desk.journals.values():
        if keys := [text] if journal.search.has_contact(text) else journal.search.contacts_known_by(text):
            # On to an address that names the contact by our own key: what was typed is personal data.
            where = urlencode({"contact": keys[0]})
            return Answer(body=b"", status=303, headers=(("Location", f"/receipts?{where}"),))
    return _list(desk, request, "found", {}, store=store)


def _found(journal: Journal, text: str, store: str) -> list[Entry]:
    one = journal.receipts.get(text)
    if one is not None:
        return [one]
    by_number = journal.receipts.find({"number": text, **({"store": store} if store else {})}, MOST)
    return by_number or journal.receipts.find({"file": text}, MOST)


def _list(
    desk: Desk, request: Request, title: str, found: dict[str, list[Entry]], q: str = "", store: str = ""
) -> Answer:
    rows = [(name, entry) for name, entries in found.items() for entry in entries]
    return desk.page(request, "receipts.html", title=title, rows=rows, q=q, store=store, most=MOST)


def locate(desk: Desk, request: Request, receipt_id: str) -> tuple[str, Entry]:
    """The pipeline and the row of a receipt; the address names the pipeline when several have the id."""
    for name, journal in _asked(desk, request.query).items():
        if (entry := journal.receipts.get(receipt_id)) is not None:
            return name, entry
    raise Failure(404, "The journal has no such receipt.")


def life(desk: Desk, request: Request, receipt_id: str) -> Answer:
    """`/receipts/ID`: where it is and everything that has happened to it."""
    return one(desk, request, receipt_id)


def one(desk: Desk, request: Request, receipt_id: str, personal: Any = None, said: str = "") -> Answer:
    """The page of a receipt; `personal`: what a viewer asked to see."""
    name, entry = locate(desk, request, receipt_id)
    journal = desk.journals[name]
    events = journal.events.of_receipt(entry.seq)
    contact = None
    if entry.contact:
        known = journal.contacts.get(entry.contact)
        contact = {"key": known.key, "contact_id": known.contact_id, "identifiers": [str(e) for e in known.identifiers]}
        events += [each | {"of_contact": True} for each in journal.events.of_contact(entry.contact)[-EVENTS:]]
    told = [
        {"of_contact": False} | each | {"detail": _detail(each["detail"])}
        for each in sorted(events, key=lambda each: int(each["seq"]))
    ]
    return desk.page(
        request,
        "receipt.html",
        pipeline=name,
        entry=entry,
        contact=contact,
        events=told,
        personal=personal,
        said=said,
    )


def _detail(text: Any) -> str:
    try:
        told = json.loads(text)
        return ", ".join(f"{key} {value}" for key, value in told.items() if key != "due" and value != "")
    except (ValueError, TypeError, AttributeError):
        return "damaged"

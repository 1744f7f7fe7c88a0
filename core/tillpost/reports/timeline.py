"""The timeline of a receipt: its events and those of its contact, in order."""

from __future__ import annotations

import json
from typing import Any

from tillpost.journal import Entry, Journal
from tillpost.terminal import when


def timeline(journal: Journal, entry: Entry, contact_events: int = 0) -> list[dict[str, Any]]:
    """Each event with its time in ISO 8601; those of the contact name it. contact_events: at most the last so many."""
    events = journal.events.of_receipt(entry.seq)
    if entry.contact:
        events += [
            each | {"contact": entry.contact} for each in journal.events.of_contact(entry.contact)[-contact_events:]
        ]
    return [
        event | {"at": when(event["at"]), "detail": event_detail(event["detail"])}
        for event in sorted(events, key=lambda each: int(each["seq"]))
    ]


def flags_of(events: list[dict[str, Any]]) -> str:
    """The flags the receipt had when it was last accepted, as its timeline tells them; "" for none."""
    return next((str(each["detail"]["flags"]) for each in reversed(events) if "flags" in each["detail"]), "")


def contact_of(journal: Journal, entry: Entry) -> dict[str, Any] | None:
    """The contact of a receipt without personal data; None while there is none."""
    if not entry.contact:
        return None
    known = journal.contacts.get(entry.contact)
    return {"key": known.key, "contact_id": known.contact_id, "identifiers": list(map(str, known.identifiers))}


def detail_text(detail: dict[str, Any]) -> str:
    """What an event says beside its name, for people."""
    named = {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in detail.items()}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in named.items() if value != "")


def event_detail(text: Any) -> dict[str, Any]:
    """The detail of an event as stored, with times in ISO 8601; a damaged one says so."""
    try:
        detail = dict(json.loads(text))
        if "due" in detail:
            detail["next_attempt_at"] = when(float(detail.pop("due")))
    except (ValueError, TypeError, OverflowError):
        return {"damaged": "this event cannot be read"}
    return detail

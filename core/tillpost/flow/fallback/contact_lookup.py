"""ContactLookup: what the destination knows of the contacts of files, by one question each, and what follows from it.

An attribute is settled by three values: what the till says, what the destination was last known to hold, and what it
holds now. What the destination holds by somebody else's hand stays (docs/decisions/0008-contacts.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from tillpost.flow.line import Line
from tillpost.journal import ContactLookup
from tillpost.model import Conflict, Contact, Failure, Gone, Identified, MaybeSent, Misconfigured, NotSent, Throttled

_NO_ANSWER = (NotSent, MaybeSent, Misconfigured, Throttled)
_TRIES = 2
"""A stored id that turns out to be gone is identified anew once, as when receipts are sent (resolve)."""
_GIVEN_OUT = ("contactId", "memberNumber")
"""Kinds of identifier the destination gives out: no file makes them, so no import can leave them out."""


def look_up_all(line: Line, keys: Iterable[str], route: str, imported: str = "") -> bool:
    """Ask about these contacts and store what is shown, in one commit; False when an answer was missing.

    route: how an id that is learnt here was learnt. imported: the file that the destination has read.
    """
    looks: list[ContactLookup] = []
    whole = True
    try:
        for key in keys:
            with line.contact_locks.lock(key):
                shown = look_up(line, key, imported)
            if not isinstance(shown, ContactLookup):
                whole = False
                break
            looks.append(shown)
    except Exception:
        _note(line, looks, route)  # what was shown before it
        raise
    _note(line, looks, route)
    return whole


def _note(line: Line, looks: list[ContactLookup], route: str) -> None:
    if looks:
        line.journal.contact_lookups.note(looks, route, line.clock.time())


def look_up(line: Line, key: str, imported: str = "") -> ContactLookup | Failure:
    """Ask about one contact; the caller has its lock, and stores the answer. A failure is no answer."""
    for _ in range(_TRIES):
        contact = line.journal.contacts.get(key)
        found = line.hooks.reconcile_contact(contact)
        line.breaker.record(found)
        decided = None
        if isinstance(found, Conflict) and (first := _first(line, found)):
            decided = found
            found = line.hooks.reconcile_contact(attrs.evolve(contact, contact_id=first))
            line.breaker.record(found)
        if isinstance(found, _NO_ANSWER):
            return found
        if not isinstance(found, Gone):
            return _judge(line, contact, found, decided, imported)
        if contact.contact_id:
            line.journal.contacts.forget_id(key, found.reason, line.clock.time())
    return ContactLookup(key=key, found=None)


def _first(line: Line, conflict: Conflict) -> str:
    """By the rule `first`: the contact of the first key that leads to one; "" when a person decides."""
    by_rule = line.fallback is not None and line.fallback.conflicts == "first"
    return next(iter(conflict.found.values()), "") if by_rule else ""


def _judge(
    line: Line,
    contact: Contact,
    found: Identified | Conflict | Failure | None,
    decided: Conflict | None,
    imported: str,
) -> ContactLookup:
    if isinstance(found, Conflict):
        return ContactLookup(key=contact.key, found=found)
    if not isinstance(found, Identified):
        return ContactLookup(key=contact.key, found=None)
    settled, kept = settle(contact, found.holds)
    if not imported:
        return ContactLookup(key=contact.key, found=found, conflict=decided, settled=settled, kept=kept)
    # A later file may have said more, and is yet to be read: that one is compared then.
    said = line.journal.contacts.said(contact.key, imported)
    unsaved = None if said is None else missing(contact, said, found.holds)
    return ContactLookup(key=contact.key, found=found, conflict=decided, settled=settled, unsaved=unsaved)


def settle(contact: Contact, holds: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Attributes that need not be sent, and those of them that somebody else has set there meanwhile.

    Sent is what the destination does not hold at all, and what it still holds as it was last sent.
    """
    settled: dict[str, str] = {}
    kept: list[str] = []
    for name, value in contact.changes().items():
        there = holds.get(name)
        if there == value:
            settled[name] = value
        elif there and there != contact.sent.get(name):
            settled[name] = value
            kept.append(name)
    return settled, tuple(kept)


def missing(contact: Contact, said: Mapping[str, str], holds: Mapping[str, str]) -> tuple[str, ...]:
    """Names of what files have said and the destination does not hold: the import left it out without a word.

    None when nothing was read: a contact that is found holds the key that found it.
    """
    if not holds:
        return ()
    attributes = {name for name, value in said.items() if ":" not in name and holds.get(name) != value}
    kinds = {name.partition(":")[0] for name in said if ":" in name} - set(_GIVEN_OUT)
    own = {(known.kind, known.value) for known in contact.identifiers}
    return tuple(sorted(attributes | {kind for kind in kinds if (kind, holds.get(kind, "")) not in own}))

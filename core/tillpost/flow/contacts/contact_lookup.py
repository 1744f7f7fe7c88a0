"""Contact lookups: ask the destination once about each contact of a file, and compare it with what the tills say.

Three values decide about an attribute: what the till says, what we last sent, and what the destination holds now. A
value that somebody else has set there stays (docs/decisions/0008-contacts.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.contacts.another_person import separate_others, shared_kinds
from tillpost.flow.deadly import in_hand
from tillpost.flow.line import Line
from tillpost.journal import ContactLookup
from tillpost.model import Conflict, Contact, Failure, Gone, Identified, MaybeSent, Misconfigured, NotSent, Throttled

NO_ANSWER = (NotSent, MaybeSent, Misconfigured, Throttled)
LOOKUPS = 2
"""A contact whose stored id is gone is looked up once more; gone twice in a row is a fault of the destination."""
_ISSUED = ("contactId", "memberNumber")
"""Kinds of identifier the destination issues itself: files do not set them, so no import can leave them out."""


def look_up_all(line: Line, keys: Iterable[str], route: str, imported: str = "") -> dict[str, str]:
    """Look these contacts up and store the answers in one commit; of those without an answer, why.

    One without an answer keeps back no other. When the destination stops answering, the rest is not asked about.
    route: by which way an id that is learnt here was learnt. imported: the file that the destination has read.
    """
    lookups: list[ContactLookup] = []
    silent: dict[str, str] = {}
    try:
        for key in keys:
            if silent and not line.breaker.allows_requests():
                silent[key] = line.breaker.destination.reason
                continue
            try:
                with line.contact_locks.lock(key), in_hand(line, "reconcile_contact", key):
                    lookup = look_up(line, key, imported)
            except (InvalidValue, PluginError) as error:
                silent[key] = str(error)
                continue
            if isinstance(lookup, ContactLookup):
                lookups.append(lookup)
            else:
                silent[key] = lookup.reason
    finally:
        _store(line, lookups, route)
    return silent


def _store(line: Line, lookups: list[ContactLookup], route: str) -> None:
    if lookups:
        line.journal.contact_lookups.save(lookups, route, line.clock.time())


def look_up(line: Line, key: str, imported: str = "") -> ContactLookup | Failure:
    """Look one contact up; the caller holds its lock and stores the answer. A Failure means there was no answer."""
    contact = line.journal.contacts.get(key)
    for _ in range(LOOKUPS + len(contact.identifiers)):
        contact = line.journal.contacts.get(key)
        found = line.breaker.record(line.hooks.reconcile_contact(contact))
        decided = None
        if isinstance(found, Identified | Conflict) and (shared := shared_kinds(line, contact, found)):
            # Asked again without them, what is left leads to the contact itself, or to nobody.
            line.journal.contacts.share(key, shared, line.clock.time())
            continue
        if isinstance(found, Identified) and not contact.contact_id:
            separate_others(line, contact, found)
        if isinstance(found, Conflict) and (first := _first_by_rule(line, found)):
            decided = found
            found = line.breaker.record(line.hooks.reconcile_contact(attrs.evolve(contact, contact_id=first)))
        if isinstance(found, NO_ANSWER):
            return found
        if not isinstance(found, Gone):
            return _compare(line, contact, found, decided, imported)
        if contact.contact_id:
            line.journal.contacts.forget_id(key, found.reason, line.clock.time(), contact_id=contact.contact_id)
    return ContactLookup(key=key, found=None)


def _first_by_rule(line: Line, conflict: Conflict) -> str:
    """With `conflicts = "first"` the contact that the first of the keys leads to; "" when a person decides."""
    by_rule = line.fallback is not None and line.fallback.conflicts == "first"
    return next(iter(conflict.found.values()), "") if by_rule else ""


def _compare(
    line: Line, contact: Contact, found: Identified | Conflict | Failure | None, decided: Conflict | None, imported: str
) -> ContactLookup:
    if not isinstance(found, Identified):
        return ContactLookup(key=contact.key, found=found if isinstance(found, Conflict) else None)
    settled, kept = settle(contact, found.holds)
    if not imported:
        return ContactLookup(key=contact.key, found=found, conflict=decided, settled=settled, kept=kept)
    # A later file may have said more and is yet to be imported: the contact is compared with that one then.
    written = line.journal.contacts.written_values(contact.key, imported)
    unsaved = None if written is None else missing(contact, written, found.holds)
    return ContactLookup(key=contact.key, found=found, conflict=decided, settled=settled, unsaved=unsaved)


def settle(contact: Contact, holds: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Attributes that need not be sent, and the names of those that somebody else has set there meanwhile.

    To be sent are those the destination does not hold at all, and those it still holds as we last sent them.
    """
    settled: dict[str, str] = {}
    kept: list[str] = []
    for name, value in contact.changes().items():
        held = holds.get(name)
        if held == value:
            settled[name] = value
        elif held and held != contact.sent.get(name):
            settled[name] = value
            kept.append(name)
    return settled, tuple(kept)


def missing(contact: Contact, written: Mapping[str, str], holds: Mapping[str, str]) -> tuple[str, ...]:
    """Names of values that a file had and the destination does not hold: the import left them out silently.

    Empty when nothing was read (`holds` is empty): a contact that is found holds at least the key that found it.
    """
    if not holds:
        return ()
    attributes = {name for name, value in written.items() if ":" not in name and holds.get(name) != value}
    kinds = {name.partition(":")[0] for name in written if ":" in name} - set(_ISSUED)
    own = {(known.kind, known.value) for known in contact.identifiers}
    return tuple(sorted(attributes | {kind for kind in kinds if (kind, holds.get(kind, "")) not in own}))

"""Resolve: the customer's contact gets its contactId, and the destination the attributes it lacks."""

from __future__ import annotations

from tillpost.flow.fallback.contact_lookup import look_up
from tillpost.flow.line import Line
from tillpost.journal import ContactLookup
from tillpost.model import Conflict, Contact, Failure, Gone, Identified, Refused

_TRIES = 2
"""A stored id that turns out to be gone is identified anew once; twice in a row is a fault of the destination."""


def resolve(line: Line, key: str) -> Contact | Failure | None:
    """The contact with its contactId, or why there is none yet; None when nobody knows it and nobody may create it.

    One thread at a time for a contact.
    """
    with line.contact_locks.lock(key):
        contact = line.journal.contacts.get(key)
        if not contact.contact_id and line.journal.contacts.made(key):
            # A file makes it: looked up by all its keys, as the files are (review), before anybody makes it here.
            failure = _look(line, key)
            if failure is not None:
                return failure
            contact = line.journal.contacts.get(key)
        if conflict := line.journal.contact_lookups.conflict(key):
            return Refused(reason=conflict)
        for _ in range(_TRIES):
            fresh = not contact.contact_id
            found = line.hooks.resolve_contact(contact)
            if fresh:
                line.breaker.record(found)
            if found is None:
                return None
            if isinstance(found, Conflict):
                line.journal.contact_lookups.note([ContactLookup(key=key, found=found)], "lookup", line.clock.time())
                return Refused(reason=line.journal.contact_lookups.conflict(key))
            if not isinstance(found, Identified):
                return found
            if found.contact_id != contact.contact_id or found.holds:
                route = "created" if found.created else "lookup"
                line.journal.contacts.learn(key, found, route, line.clock.time())
                contact = line.journal.contacts.get(key)
            updated = _update(line, contact)
            if isinstance(updated, Contact):
                line.contact_ids.add(key, updated.contact_id, line.clock.monotonic())
            if not isinstance(updated, Gone):
                return updated
            if line.journal.contacts.get(key).contact_id:
                line.journal.contacts.forget_id(key, updated.reason, line.clock.time())
            contact = line.journal.contacts.get(key)
        return Refused(reason="the contactId that Engage names answers 404 again and again")


def _look(line: Line, key: str) -> Failure | None:
    shown = look_up(line, key)
    if not isinstance(shown, ContactLookup):
        return shown
    line.journal.contact_lookups.note([shown], "lookup", line.clock.time())
    return None


def _update(line: Line, contact: Contact) -> Contact | Gone | Failure:
    changes = contact.changes()
    if changes and line.journal.contacts.seen_at(contact.key) < line.breaker.destination.since:
        # Told before the destination was back: somebody may have changed it there since.
        failure = _look(line, contact.key)
        if failure is not None:
            return failure
        contact = line.journal.contacts.get(contact.key)
        changes = contact.changes()
    if not contact.contact_id:
        return Gone()
    if not changes:
        return contact
    answer = line.hooks.update_contact(contact, changes)
    line.breaker.record(answer)
    now = line.clock.time()
    if isinstance(answer, Refused):
        # A wrong attribute of the customer is no reason to keep back the receipt.
        line.journal.contacts.give_up_changes(contact.key, changes, answer.reason, now)
        return contact
    if isinstance(answer, Identified):
        line.journal.contacts.learn(contact.key, answer, "lookup", now)
        return contact
    return contact if answer is None else answer

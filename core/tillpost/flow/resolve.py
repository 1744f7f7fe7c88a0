"""Resolve: the customer's contact gets its contactId, and the far side the attributes it lacks."""

from __future__ import annotations

from tillpost.flow.line import Line
from tillpost.model import Contact, Failure, Gone, Identified, Refused

_TRIES = 2
"""A stored id that turns out to be gone is identified anew once; twice in a row is a fault of the far side."""


def resolve(line: Line, key: str) -> Contact | Failure | None:
    """The contact with its contactId, or why there is none yet; None when nobody knows it and nobody may create it.

    One thread at a time for a contact.
    """
    with line.locks.of(key):
        contact = line.journal.contacts.get(key)
        for _ in range(_TRIES):
            fresh = not contact.contact_id
            found = line.hooks.resolve_contact(contact)
            if fresh:
                line.gate.saw(found)
            if found is None:
                return None
            if not isinstance(found, Identified):
                return found
            if found.contact_id != contact.contact_id or found.holds:
                route = "created" if found.created else "lookup"
                line.journal.contacts.learn(key, found, route, line.clock.time())
                contact = line.journal.contacts.get(key)
            updated = _update(line, contact)
            if not isinstance(updated, Gone):
                return updated
            line.journal.contacts.forget_id(key, updated.reason, line.clock.time())
            contact = line.journal.contacts.get(key)
        return Refused(reason="the contactId that Engage names answers 404 again and again")


def _update(line: Line, contact: Contact) -> Contact | Gone | Failure:
    changes = contact.changes()
    if not changes:
        return contact
    answer = line.hooks.update_contact(contact, changes)
    line.gate.saw(answer)
    now = line.clock.time()
    if isinstance(answer, Refused):
        # A wrong attribute of the customer is no reason to keep back the receipt.
        line.journal.contacts.give_up_changes(contact.key, changes, answer.reason, now)
        return contact
    if isinstance(answer, Identified):
        line.journal.contacts.learn(contact.key, answer, "lookup", now)
        return contact
    return contact if answer is None else answer

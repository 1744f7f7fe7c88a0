"""Resolve: find the contactId of a receipt's contact, and send the destination the attributes it lacks."""

from __future__ import annotations

from tillpost.flow.fallback.contact_lookup import LOOKUPS, look_up
from tillpost.flow.line import Line
from tillpost.journal import ContactLookup
from tillpost.model import Conflict, Contact, Failure, Gone, Identified, Refused


def resolve(line: Line, key: str) -> Contact | Failure | None:
    """The contact with its contactId, or why it has none yet; None when it is unknown and no resolver may create it.

    One thread at a time for a contact.
    """
    with line.contact_locks.lock(key):
        contact = line.journal.contacts.get(key)
        if not contact.contact_id and line.journal.contacts.created_by_file(key):
            # A file on its way creates it: look it up by all its keys, as `review` does, before a resolver creates it.
            failure = _look_up_and_store(line, key)
            if failure is not None:
                return failure
            contact = line.journal.contacts.get(key)
        if conflict := line.journal.contact_lookups.conflict_reason(key):
            return Refused(reason=conflict)
        for _ in range(LOOKUPS):
            asks_destination = not contact.contact_id
            found = line.hooks.resolve_contact(contact)
            if asks_destination:
                line.breaker.record(found)
            if found is None:
                return None
            if isinstance(found, Conflict):
                line.journal.contact_lookups.save([ContactLookup(key=key, found=found)], "lookup", line.clock.time())
                return Refused(reason=line.journal.contact_lookups.conflict_reason(key))
            if not isinstance(found, Identified):
                return found
            if found.contact_id != contact.contact_id or found.holds:
                route = "created" if found.created else "lookup"
                line.journal.contacts.save_contact_id(key, found, route, line.clock.time())
                contact = line.journal.contacts.get(key)
            updated = _update(line, contact)
            if isinstance(updated, Contact):
                line.contact_ids.add(key, updated.contact_id, line.clock.monotonic())
            if not isinstance(updated, Gone):
                return updated
            if line.journal.contacts.get(key).contact_id:
                line.journal.contacts.forget_id(key, updated.reason, line.clock.time())
            contact = line.journal.contacts.get(key)
        return Refused(reason="Engage gives a contactId and then does not know it (404), twice in a row")


def _look_up_and_store(line: Line, key: str) -> Failure | None:
    lookup = look_up(line, key)
    if not isinstance(lookup, ContactLookup):
        return lookup
    line.journal.contact_lookups.save([lookup], "lookup", line.clock.time())
    return None


def _update(line: Line, contact: Contact) -> Contact | Gone | Failure:
    changes = contact.changes()
    if changes and line.journal.contacts.seen_at(contact.key) < line.breaker.destination.since:
        # Last read before the outage ended: somebody may have changed the contact there since.
        failure = _look_up_and_store(line, contact.key)
        if failure is not None:
            return failure
        contact = line.journal.contacts.get(contact.key)
        changes = contact.changes()
    if not contact.contact_id:
        return Gone()
    if not changes:
        return contact
    answer = line.breaker.record(line.hooks.update_contact(contact, changes))
    now = line.clock.time()
    if isinstance(answer, Refused):
        # A wrong attribute of the customer must not keep back the receipt.
        line.journal.contacts.drop_changes(contact.key, changes, answer.reason, now)
        return contact
    if isinstance(answer, Identified):
        line.journal.contacts.save_contact_id(contact.key, answer, "lookup", now)
        return contact
    return contact if answer is None else answer

"""Resolve: find the contactId of a receipt's contact, and send the destination the attributes it lacks."""

from __future__ import annotations

from math import inf

from tillpost.flow.fallback.contact_lookup import LOOKUPS, look_up
from tillpost.flow.line import Line
from tillpost.journal import ContactLookup
from tillpost.model import Conflict, Contact, Failure, Gone, Identified, Refused

_EVER = 1.0
"""Later than the 0 of a contactId that is in doubt."""
_AHEAD = 60.0
"""Seconds by which a confirmation may lie ahead; one that lies further is from before the clock was set back."""


def confirmed_between(line: Line) -> tuple[float, float]:
    """When the destination must have confirmed a contactId that is used without asking it (seconds since 1970).

    Any time where no resolver can ask about one (no reconcile_contact).
    """
    now = line.clock.time()
    if not line.hooks.implements("reconcile_contact"):
        return 0.0, inf
    return max(_EVER, now - line.retry.revalidate.total_seconds()), now + _AHEAD


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
        if (conflict := _conflict(line, key)) is not None:
            return conflict
        if contact.contact_id:
            failure = _revalidate(line, contact)
            if failure is not None:
                return failure
            contact = line.journal.contacts.get(key)
        for _ in range(LOOKUPS):
            asks_destination = not contact.contact_id
            found = line.hooks.resolve_contact(contact)
            if asks_destination:
                found = line.breaker.record(found)
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
                line.silent.pop(key, None)
                line.contact_ids.add(key, updated.contact_id, line.clock.monotonic())
            if not isinstance(updated, Gone):
                return updated
            if line.journal.contacts.get(key).contact_id:
                line.journal.contacts.forget_id(key, updated.reason, line.clock.time())
            contact = line.journal.contacts.get(key)
        return Refused(reason="Engage gives a contactId and then does not know it (404), twice in a row")


def _revalidate(line: Line, contact: Contact) -> Failure | None:
    """Ask about a stored contactId that was not confirmed for long, or is in doubt; forget one that is not valid."""
    earliest, latest = confirmed_between(line)
    if earliest <= line.journal.contacts.confirmed_at(contact.key) <= latest:
        return None
    found = line.breaker.record(line.hooks.reconcile_contact(contact))
    now = line.clock.time()
    if isinstance(found, Identified) and found.contact_id == contact.contact_id:
        line.journal.contacts.confirm([contact.key], now)
    elif isinstance(found, Identified | Gone | None):
        reason = found.reason if isinstance(found, Gone) else "the destination has another contactId"
        chosen = line.journal.contacts.is_chosen(contact.key)
        line.journal.contacts.forget_id(contact.key, reason, now)
        if chosen:  # by a person, for the keys lead to several: asked key by key, the first would decide
            return _look_up_and_store(line, contact.key) or _conflict(line, contact.key)
    elif isinstance(found, Conflict):
        return Refused(reason=found.reason)
    else:
        return found
    return None


def _conflict(line: Line, key: str) -> Refused | None:
    reason = line.journal.contact_lookups.conflict_reason(key)
    return Refused(reason=reason) if reason else None


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

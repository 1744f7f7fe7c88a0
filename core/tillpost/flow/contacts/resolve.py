"""Resolve: find the contactId of a receipt's contact, and send the destination the attributes it lacks."""

from __future__ import annotations

from collections.abc import Collection
from math import inf

import attrs

from tillpost.flow.contacts.another_person import separate_others, shared_kinds
from tillpost.flow.contacts.contact_lookup import LOOKUPS, look_up
from tillpost.flow.line import Line
from tillpost.journal import ContactLookup, HistoryState, LookupState
from tillpost.model import Conflict, Contact, Failure, Gone, Identified, Refused

LATE_SECONDS = 3600.0
"""Seconds after a sale from which on what it states of its customer may be older than what the destination holds."""
_LOOKUP_GROWTH = (1, 3, 6, 30, 90, 180, 360)
"""Waits between lookups of a contact that is unknown or in conflict, in times of `wait_initial`: 10 s to an hour."""
UNKNOWN = "the contact is unknown and no resolver may create it"
"""How the reason of a receipt begins that waits for its contact."""
ERASED = "erased: Engage no longer has the contact, and none of its keys finds another"
"""How the reason of a receipt begins that is held because its contact was erased."""


_EVER = 1.0
"""Later than the 0 of a contactId that is in doubt."""
_AHEAD = 60.0
"""Seconds by which a confirmation may lie ahead; one that lies further is from before the clock was set back."""


@attrs.frozen
class Unknown:
    """The destination does not know the contact, and no resolver may create it. due: when it is looked up again."""

    due: float


def not_looked_up(keys: Collection[str], kinds: Collection[str]) -> str:
    """Why a contact with these kinds of identifier is never asked for, and the way back. keys: of the resolvers."""
    if not keys:
        return "`resolve` has no resolver that asks the destination; add one, and it is asked for"
    by = ", ".join(sorted({*keys} - {"contactId"}))
    has = ", ".join(sorted(kinds))
    return f"`keys` of `resolve` has {by}, and the contact {has}; add a key it has, and it is asked for"


def confirmed_between(line: Line) -> tuple[float, float]:
    """When the destination must have confirmed a contactId that is used without asking it (seconds since 1970).

    Any time where no resolver can ask about one (no reconcile_contact). At some time, and not in doubt since, where the
    histories of all receipts are read: these show what became of a contact, without a further request.
    """
    now = line.clock.time()
    if not line.hooks.implements("reconcile_contact"):
        return -inf, inf
    proved_by_history = line.verifies() and line.verify.receipts == "all"
    if proved_by_history and line.journal.verification.history()[0] is HistoryState.THERE:
        return _EVER, now + _AHEAD
    return max(_EVER, now - line.retry.revalidate.total_seconds()), now + _AHEAD


def resolve(line: Line, key: str, *, again: bool = False) -> Contact | Failure | Unknown:
    """The contact with its contactId, or why it has none yet.

    again: look up a contact that was unknown a moment ago. One thread at a time for a contact.
    """
    with line.contact_locks.lock(key):
        lookups = line.journal.contact_lookups.state(key)
        if lookups.conflict and (failure := _conflict(line, key)):
            return failure
        if not lookups.conflict and (unknown := _is_unknown(line, lookups, again)) is not None:
            return unknown
        contact = line.journal.contacts.get(key)
        if contact.contact_id:
            revalidated = _revalidate(line, contact)
            if not isinstance(revalidated, Contact):
                return revalidated
            contact = revalidated
        # Each identifier that leads to another person costs a turn.
        for _ in range(LOOKUPS + len(contact.identifiers)):
            if not contact.contact_id and (contact.is_gone or lookups.created_by):
                # It may have another id by now, or a file on its way creates it: look it up by all its keys, before
                # a resolver creates it.
                failure = _look_up_and_store(line, key)
                if failure is not None:
                    return failure
                if conflict := line.journal.contact_lookups.conflict_reason(key):
                    return Refused(reason=conflict)
                contact = line.journal.contacts.get(key)
            if contact.is_gone:
                if line.erased == "hold":
                    return Refused(reason=f'{ERASED}; `erased = "create"` and `tillpost held retry` create it')
                line.journal.contacts.erase(key, line.clock.time())
                contact = line.journal.contacts.get(key)
            asks_destination = not contact.contact_id
            found = line.hooks.resolve_contact(contact)
            if asks_destination:
                found = line.breaker.record(found)
            if found is None:
                return _record_unknown(line, key)
            if isinstance(found, Conflict):
                return _record_conflict(line, key, found)
            if not isinstance(found, Identified):
                return found
            if found.contact_id != contact.contact_id or found.holds:
                if shared := shared_kinds(line, contact, found):
                    line.journal.contacts.share(key, shared, line.clock.time())
                    contact = line.journal.contacts.get(key)
                    continue
                separate_others(line, contact, found)
                found = attrs.evolve(found, holds={n: v for n, v in found.holds.items() if n in contact.attributes})
                route = "created" if found.created else "lookup"
                line.journal.contacts.save_contact_id(key, found, route, line.clock.time())
                contact = attrs.evolve(contact, contact_id=found.contact_id, sent={**contact.sent, **found.holds})
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


def _is_unknown(line: Line, lookups: LookupState, again: bool) -> Unknown | None:
    """The contact was looked up a while ago, and is not due: one lookup is for all its receipts."""
    due = lookups.due
    now = line.clock.time()
    if due is None or due <= now:
        return None
    wait = _lookup_wait(line, lookups.lookups)
    if due - now > wait:
        return None  # the clock was set back
    looked_up = due - wait
    return None if again and now - looked_up >= line.retry.wait_initial.total_seconds() else Unknown(due)


def _record_unknown(line: Line, key: str) -> Unknown:
    lookups, due = line.journal.contacts.lookups(key)
    now = line.clock.time()
    if due is not None and now - due > _lookup_wait(line, len(_LOOKUP_GROWTH)):
        lookups = 0  # nobody has waited for it since: a new customer comes soon
    due = now + _lookup_wait(line, lookups + 1)
    line.journal.contacts.record_unknown(key, lookups + 1, due)
    return Unknown(due)


def _lookup_wait(line: Line, lookups: int) -> float:
    growth = _LOOKUP_GROWTH[min(max(lookups, 1), len(_LOOKUP_GROWTH)) - 1]
    return line.retry.wait_initial.total_seconds() * growth


def _revalidate(line: Line, contact: Contact) -> Contact | Failure:
    """Ask about a stored contactId that was not confirmed for long, or is in doubt; forget one that is not valid."""
    earliest, latest = confirmed_between(line)
    if earliest <= line.journal.contacts.confirmed_at(contact.key) <= latest:
        return contact
    found = line.breaker.record(line.hooks.reconcile_contact(contact))
    now = line.clock.time()
    if isinstance(found, Identified) and found.contact_id == contact.contact_id:
        line.journal.contacts.confirm([contact.key], now)
    elif isinstance(found, Identified | Gone | None):
        reason = found.reason if isinstance(found, Gone) else "the destination has another contactId"
        line.journal.contacts.forget_id(contact.key, reason, now, contact_id=contact.contact_id)
    elif isinstance(found, Conflict):
        stored = contact.contact_id
        line.journal.contacts.forget_id(contact.key, found.reason, now, contact_id=stored, is_gone=False)
        return _record_conflict(line, contact.key, found)
    else:
        return found
    return line.journal.contacts.get(contact.key)


def _record_conflict(line: Line, key: str, found: Conflict) -> Refused:
    line.journal.contact_lookups.save([ContactLookup(key=key, found=found)], "lookup", line.clock.time())
    postpone_lookup(line, key)
    return Refused(reason=line.journal.contact_lookups.conflict_reason(key))


def _conflict(line: Line, key: str) -> Failure | None:
    """Why receipts of a contact in conflict cannot be sent; None when a lookup finds one contact, or none, by now."""
    lookups, due = line.journal.contacts.lookups(key)
    looked_up = line.clock.time() - due + _lookup_wait(line, lookups) if due is not None else 0.0
    recently = due is not None and 0 <= looked_up < line.retry.wait_initial.total_seconds()
    if not recently and line.hooks.implements("reconcile_contact") and (failure := look_again(line, key)) is not None:
        return failure
    conflict = line.journal.contact_lookups.conflict_reason(key)
    return Refused(reason=conflict) if conflict else None


def look_again(line: Line, key: str) -> Failure | None:
    """Look a contact in conflict up once more; the caller holds its lock. A Failure means there was no answer.

    Customer care may have merged the contacts, or corrected one: then its receipts are held no more.
    """
    failure = _look_up_and_store(line, key)
    if line.journal.contact_lookups.conflict_reason(key):
        postpone_lookup(line, key)
    return failure


def postpone_lookup(line: Line, key: str) -> None:
    """A contact in conflict is looked up again after a wait that grows as that of an unknown one."""
    lookups, _ = line.journal.contacts.lookups(key)
    wait = _lookup_wait(line, lookups + 1)
    line.journal.contacts.record_unknown(key, lookups + 1, line.clock.time() + wait)


def longest_lookup_wait(line: Line) -> float:
    """Seconds between two lookups of a contact at most."""
    return _lookup_wait(line, len(_LOOKUP_GROWTH))


def _look_up_and_store(line: Line, key: str) -> Failure | None:
    lookup = look_up(line, key)
    if not isinstance(lookup, ContactLookup):
        return lookup
    line.journal.contact_lookups.save([lookup], "lookup", line.clock.time())
    return None


def _update(line: Line, contact: Contact) -> Contact | Gone | Failure:
    changes = contact.changes()
    if changes and (superseded := line.journal.contacts.newer_elsewhere(contact) & changes.keys()):
        # A later sale of the same person, under another of its identifiers, has stated them.
        settled = Identified(contact_id=contact.contact_id, holds={name: changes[name] for name in superseded})
        line.journal.contacts.save_contact_id(contact.key, settled, "lookup", line.clock.time())
        contact = line.journal.contacts.get(contact.key)
        changes = contact.changes()
    if changes and _may_be_older(line, contact, changes):
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


def _may_be_older(line: Line, contact: Contact, changes: dict[str, str]) -> bool:
    """Whether somebody may have changed the contact at the destination after the sale that stated these."""
    if line.journal.contacts.seen_at(contact.key) < line.breaker.destination.since:
        return True  # the destination was away since
    late = line.clock.time() - LATE_SECONDS
    return any(contact.attribute_times.get(name, 0.0) < late for name in changes)

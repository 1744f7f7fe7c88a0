"""Other contacts: before a receipt is held, look for it in the history of other contacts of the same person.

A file names a contact by one of its keys. When the destination has two contacts of that person, each with one of the
keys, the receipt may be with the one whose id we do not know.
"""

from __future__ import annotations

from collections import defaultdict

import attrs

from tillpost.flow.line import Line
from tillpost.journal import Entry, Move, State
from tillpost.model import Conflict

_REASON = "in the history of another contact that has one of its keys"


def settle_under_other_contacts(line: Line, absent: list[Entry]) -> list[Entry]:
    """Deliver the receipts that another contact shows; the others. After a missing answer they are among the others."""
    by_contact: dict[str, list[Entry]] = defaultdict(list)
    for row in absent:
        by_contact[row.contact or ""].append(row)
    not_found: list[Entry] = []
    for key, rows in by_contact.items():
        shown = _shown_by_others(line, key, frozenset(row.id for row in rows)) if key else frozenset()
        not_found += [row for row in rows if row.id not in shown]
        moves = [
            (row.seq, Move(state=State.DELIVERED, attempts=row.attempts, route="file", reason=_REASON))
            for row in rows
            if row.id in shown
        ]
        line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
    return not_found


def _shown_by_others(line: Line, key: str, ids: frozenset[str]) -> frozenset[str]:
    contact = line.journal.contacts.get(key)
    if not contact.contact_id:
        return frozenset()
    found = line.breaker.record(line.hooks.reconcile_contact(attrs.evolve(contact, contact_id="")))
    if not isinstance(found, Conflict):
        return frozenset()
    shown: frozenset[str] = frozenset()
    for other in dict.fromkeys(found.found.values()):
        if other and other != contact.contact_id:
            answer = line.breaker.record(line.hooks.confirm_receipts(attrs.evolve(contact, contact_id=other), ids))
            shown |= answer if isinstance(answer, frozenset) else frozenset()
    return shown

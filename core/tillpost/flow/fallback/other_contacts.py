"""Elsewhere: the last question before a receipt is held. Is it in the history of another contact of the same person?

A file names a contact by one of its keys. When the destination has two contacts of that person, one by each key, the
receipt may have come to the one whose id we do not know.
"""

from __future__ import annotations

from collections import defaultdict

import attrs

from tillpost.flow.line import Line
from tillpost.journal import Entry, Move, State
from tillpost.model import Conflict

_REASON = "in the history of another contact that has one of its keys"


def settle_under_other_contacts(line: Line, absent: list[Entry]) -> list[Entry]:
    """Those of the receipts that no contact shows; the others are delivered. A missing answer leaves the gate closed
    or the receipts among the absent."""
    by_contact: dict[str, list[Entry]] = defaultdict(list)
    for row in absent:
        by_contact[row.contact or ""].append(row)
    left: list[Entry] = []
    for key, rows in by_contact.items():
        shown = _shown(line, key, frozenset(row.id for row in rows)) if key else frozenset()
        found = [row for row in rows if row.id in shown]
        left += [row for row in rows if row.id not in shown]
        move = Move(state=State.DELIVERED, route="file", reason=_REASON)
        line.journal.receipts.settle(
            [(row.seq, attrs.evolve(move, attempts=row.attempts)) for row in found], line.clock.time(), "reconcile"
        )
    return left


def _shown(line: Line, key: str, ids: frozenset[str]) -> frozenset[str]:
    contact = line.journal.contacts.get(key)
    if not contact.contact_id:
        return frozenset()
    found = line.hooks.reconcile_contact(attrs.evolve(contact, contact_id=""))
    line.breaker.record(found)
    if not isinstance(found, Conflict):
        return frozenset()
    shown: frozenset[str] = frozenset()
    for other in dict.fromkeys(found.found.values()):
        if other and other != contact.contact_id:
            answer = line.hooks.confirm_receipts(attrs.evolve(contact, contact_id=other), ids)
            line.breaker.record(answer)
            shown |= answer if isinstance(answer, frozenset) else frozenset()
    return shown

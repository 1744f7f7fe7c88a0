"""Who a contact is at the destination: ids that are gone, persons that were erased, identifiers that others have too.

Values here are personal data; events name contacts by their key and identifiers by their kind only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from tillpost.errors import InvalidValue
from tillpost.journal.database import List, Table, Transaction
from tillpost.journal.moves import Move, apply_moves
from tillpost.journal.states import SETTLED, State
from tillpost.journal.tables import events, joined_people
from tillpost.journal.tables.contact_links import Name, customer_of, stated_at, times_of, times_text
from tillpost.model import STRONG, Contact, IdentifierRules
from tillpost.model.receipt_json import loads

Read = Callable[[str, tuple[Any, ...]], Iterable[tuple[Any, ...]]]
CONFLICT = "conflict: "
"""How the reason of a receipt begins that is held because of its contact's conflict."""
_MOST_CARRIED = 100
"""Waiting receipts of one contact that are read for what they carry, the last ones."""
_WAITS = List(state for state in State if state not in SETTLED or state is State.HELD)
_WEAK = "kind NOT IN ({})".format(", ".join(f"'{kind}'" for kind in sorted(STRONG)))


@attrs.frozen(kw_only=True)
class Carried:
    """What the receipts of a contact that wait carry of their customer; nothing of those that are settled."""

    attributes: dict[str, str] = attrs.field(factory=dict, repr=False)
    times: dict[str, float] = attrs.field(factory=dict, repr=False)
    identifiers: frozenset[Name] = attrs.field(default=frozenset(), repr=False)


def carried(read: Read, key: str, rules: IdentifierRules, *, first_time: bool = False) -> Carried:
    """Read from the receipts, because the contact has what earlier ones said too.

    first_time: without the attributes of those that were delivered before, and wait to be sent again.
    """
    rows = read(
        "SELECT b.body, r.accepted_at, EXISTS (SELECT 1 FROM events e WHERE e.receipt = r.seq AND e.step = 'verify'"
        " AND e.what = 'accepted') FROM receipts r JOIN bodies b USING (seq)"
        " WHERE r.contact = ? AND r.state IN (SELECT value FROM json_each(?)) ORDER BY r.seq DESC LIMIT ?",
        (key, _WAITS, _MOST_CARRIED),
    )
    attributes: dict[str, str] = {}
    times: dict[str, float] = {}
    identifiers: set[Name] = set()
    for body, accepted_at, is_again in rows:
        try:
            receipt = loads(body) if isinstance(body, bytes) else None
        except InvalidValue:
            receipt = None
        if receipt is None or (customer := customer_of(receipt, None, rules)) is None:
            continue
        at = stated_at(receipt, accepted_at)
        for name, value in customer.attributes.items() if not (first_time and is_again) else ():
            if times.get(name, -1.0) < at:
                attributes[name], times[name] = value, at
        identifiers |= {(known.kind, known.value) for known in customer.identifiers}
    return Carried(attributes=attributes, times=times, identifiers=frozenset(identifiers))


def forget_earlier_sales(transaction: Transaction, key: str, *, is_new: bool) -> None:
    """Keep, of the attributes of a contact whose id was gone, those that its waiting receipts carry.

    is_new: it has just been created. Of one that was there, what receipts said that are sent again was sent once
    before, and somebody may have corrected it since.
    """
    waiting = carried(transaction.execute, key, IdentifierRules(), first_time=not is_new)
    transaction.execute(
        "UPDATE contacts SET attributes = ?, attribute_times = ?, sent = '{}', gone_at = NULL WHERE key = ?",
        (json.dumps(waiting.attributes), times_text(waiting.times), key),
    )


def end_conflict(transaction: Transaction, key: str, now: float, reason: str) -> int:
    """The keys of the contact lead to several no more; its receipts are not held any longer. How many there are."""
    transaction.execute("UPDATE contacts SET conflict = '' WHERE key = ?", (key,))
    rows = transaction.execute(
        "SELECT seq FROM receipts WHERE contact = ? AND state = 'held' AND substr(reason, 1, ?) = ? ORDER BY seq",
        (key, len(CONFLICT), CONFLICT),
    ).fetchall()
    move = Move(state=State.ACCEPTED, due=now, reason=reason)
    apply_moves(transaction, [seq for (seq,) in rows], move, now, "held")
    return len(rows)


def end_lookups(transaction: Transaction, key: str, now: float) -> None:
    """The contact is known now: the receipts that waited for it are due."""
    transaction.execute("UPDATE contacts SET lookups = 0, lookup_due = NULL WHERE key = ?", (key,))
    transaction.execute(
        "UPDATE receipts SET due = ? WHERE contact = ? AND state = 'waiting' AND due > ?", (now, key, now)
    )


class ContactIdentity(Table):
    """What is known of contacts beside each other. rules: how identifiers are read."""

    rules = IdentifierRules()

    def others_with_id(self, key: str, contact_id: str) -> dict[str, dict[str, str]]:
        """Other local contacts with this contactId → their strong identifiers by kind."""
        found: dict[str, dict[str, str]] = {}
        for other, kind, value in self._database.read(
            "SELECT c.key, i.kind, i.value FROM contacts c JOIN identifiers i ON i.contact = c.key"
            " WHERE c.contact_id = ? AND c.contact_id <> '' AND c.key <> ?",
            (contact_id, key),
        ):
            strong = found.setdefault(other, {})
            if kind in STRONG:
                strong[kind] = value
        return found

    def lookups(self, key: str) -> tuple[int, float | None]:
        """How often in a row a contact was looked up that is unknown or in conflict, and when it is looked up again."""
        rows = self._database.read("SELECT lookups, lookup_due FROM contacts WHERE key = ?", (key,))
        return (int(rows[0][0]), rows[0][1]) if rows else (0, None)

    def record_unknown(self, key: str, lookups: int, due: float) -> None:
        """The destination does not know the contact yet, or knows several; it is looked up again when due."""
        self._database.write(
            lambda transaction: transaction.execute(
                "UPDATE contacts SET lookups = ?, lookup_due = ? WHERE key = ?", (lookups, due, key)
            )
        )

    def newer_elsewhere(self, contact: Contact) -> set[str]:
        """Names of attributes that a later sale has stated of another local contact with the same contactId."""
        rows = self._database.read(
            "SELECT attributes, attribute_times FROM contacts WHERE contact_id = ? AND contact_id <> '' AND key <> ?",
            (contact.contact_id, contact.key),
        )
        return {
            name
            for attributes, times in rows
            for name, at in times_of(times, json.loads(attributes)).items()
            if at > contact.attribute_times.get(name, 0.0)
        }

    def contested(self, contact: Contact) -> set[Name]:
        """Identifiers of the contact that another person, by another card, had first: no file may name it by them."""
        own = {known.kind: known.value for known in contact.identifiers if known.kind in STRONG}
        if not own:
            return set()
        rows = self._database.read(
            "SELECT i.kind, i.value, s.kind, s.value FROM identifiers i"  # noqa: S608 - ours
            " JOIN identifiers o ON o.kind = i.kind AND o.value = i.value AND o.contact <> i.contact"
            " JOIN contacts c ON c.key = o.contact JOIN identifiers s ON s.contact = o.contact"
            f" WHERE i.contact = ? AND i.shared = 0 AND o.shared = 0 AND i.{_WEAK}"
            " AND (c.contact_id <> '' OR c.created_by <> '' OR o.learnt_at < i.learnt_at"
            " OR (o.learnt_at = i.learnt_at AND o.contact < i.contact))",
            (contact.key,),
        )
        return {(kind, value) for kind, value, strong, theirs in rows if own.get(strong, theirs) != theirs}

    def joined(self) -> dict[str, dict[str, int]]:
        """Contacts in which an earlier version joined people: kind of their cards → how many different ones."""
        found = joined_people.joined(self._database.read)
        return {key: {kind: len(values) for kind, values in kinds.items()} for key, kinds in found.items()}

    def separate(self, key: str, now: float) -> list[str]:
        """Make a contact of each card of such a contact; the keys of the new ones."""
        return self._database.write(lambda transaction: joined_people.separate(transaction, key, self.rules, now))

    def share(self, key: str, kinds: Iterable[str], now: float) -> None:
        """The destination has the contact's identifiers of these kinds for another person: they are not used for it."""
        listed = sorted(set(kinds))

        def work(transaction: Transaction) -> None:
            transaction.execute(
                "UPDATE identifiers SET shared = 1 WHERE contact = ? AND kind IN (SELECT value FROM json_each(?))",
                (key, List(listed)),
            )
            events.record(transaction, now, "resolve", "identifier of another person", contact=key, kinds=listed)

        self._database.write(work)

"""Engage in memory, by its contract: contacts by key, each receipt id once, imports that take time.

It is stricter than Engage, which ignores errors silently: whatever must never reach it is recorded as a violation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

CREATE_KEYS = ("email", "mobilePhone", "socialSecurityNumber", "externalId")
KEYS = (*CREATE_KEYS, "memberNumber")
RECEIPTS_EVERY = 900.0
"""Seconds between two imports of what the API took (contract, "Save a receipt": about every 15 minutes)."""
FILES_EVERY = 3600.0
"""Seconds between two readings of the import folder (contract, "File import": about hourly)."""

_NOT_ATTRIBUTES = ("contactType", "contactId", "id")


@attrs.define
class Person:
    """A contact in Engage."""

    id: str
    keys: dict[str, str]
    attributes: dict[str, str]


class Saved:
    """The receipts Engage has imported, each with its contact."""

    def __init__(self) -> None:
        self._contact: dict[str, str] = {}
        self._history: dict[str, list[str]] = {}

    def __contains__(self, receipt_id: str) -> bool:
        return receipt_id in self._contact

    def __len__(self) -> int:
        return len(self._contact)

    def add(self, receipt_id: str, contact: str) -> None:
        """Save it; called once an id."""
        self._contact[receipt_id] = contact
        self._history.setdefault(contact, []).append(receipt_id)

    def owner(self, receipt_id: str) -> str:
        """The contact that has it."""
        return self._contact[receipt_id]

    def history(self, contact: str) -> list[str]:
        """The ids a contact's history shows, the first saved first."""
        return self._history.get(contact, [])

    def move(self, old: str, new: str) -> None:
        """A merged contact's receipts go to the other."""
        for receipt_id in self._history.pop(old, []):
            self.add(receipt_id, new)


class Engage:
    """One tenant. Times are seconds of the simulation."""

    def __init__(self, *, tells_existing: bool = False, saved: Saved | None = None) -> None:
        self.tells_existing = tells_existing
        """Answer a creation whose key exists with that contact, as older versions do, instead of an error."""
        self.people: dict[str, Person] = {}
        self.by_key: dict[tuple[str, str], str] = {}
        self.merged: dict[str, str] = {}
        self.erased: set[str] = set()
        """Keys and ids of people who were erased and did not register again."""
        self.forgiven: set[str] = set()
        """Receipts that named an erased person: they cannot be imported, which is nobody's fault."""
        self.queue: deque[tuple[str, str]] = deque()
        self.saved = saved if saved is not None else Saved()
        self.dropped: dict[str, str] = {}
        self.ignores: frozenset[str] = frozenset()
        """Receipts that a rule of this tenant leaves out of every import, without a word."""
        self.ignored: set[str] = set()
        """Those of them that arrived."""
        self.follows_merges = True
        """What waits for the import goes to the winner of a merge; else nobody sees it again."""
        self.refusable: set[str] = set()
        """Numbers of receipts this tenant refuses for their content."""
        self.keeps_existing = False
        """The import does not change an existing contact that a file would create."""
        self.import_drops: frozenset[str] = frozenset()
        """Fields that the import of contacts leaves out silently."""
        self.left_out: set[str] = set()
        """Keys of files that the import omitted: it may drop a receipt that names one."""
        self.by_web: dict[tuple[str, str], str] = {}
        """Attributes the web shop set, by contact and name."""
        self.shown: set[tuple[str, str, str]] = set()
        """Those of them that an answer has shown to the pipeline since."""
        self.violations: list[str] = []
        self.next_receipts = RECEIPTS_EVERY
        self._ids_by_sale: dict[tuple[str, str], str] = {}

    # --- contacts -----------------------------------------------------------------------------------------------

    def find(self, kind: str, value: str) -> Person | None:
        """By a key; e-mail without regard to case, a customKey as memberNumber or externalId."""
        kinds = ("memberNumber", "externalId") if kind == "customKey" else (kind,)
        ids = [self.by_key[known] for name in kinds if (known := (name, _normal(name, value))) in self.by_key]
        return self.people[ids[0]] if ids else None

    def with_keys(self, fields: Mapping[str, str]) -> list[Person]:
        """The people who have one of the keys a contact is created by."""
        found = {p.id: p for kind in CREATE_KEYS if (value := fields.get(kind)) and (p := self.find(kind, value))}
        return list(found.values())

    def make(self, fields: Mapping[str, str]) -> Person:
        """A new contact."""
        person = Person(f"g{len(self.people) + len(self.merged) + 1:05d}", {}, {})
        while person.id in self.people or person.id in self.merged or person.id in self.erased:  # a GUID comes once
            person.id += "x"
        self.people[person.id] = person
        self.change(person, fields)
        return person

    def change(self, person: Person, fields: Mapping[str, str]) -> None:
        """Take the fields given; a key that belongs to somebody else is omitted, and an empty value overwrites."""
        for name, value in fields.items():
            if not value:
                self.violations.append(f"an empty {name} was sent")
            if name in KEYS:
                known = (name, _normal(name, value))
                if self.by_key.get(known, person.id) == person.id:
                    self.by_key[known] = person.id
                    person.keys[name] = value
                    self.erased.discard(":".join(known))
            elif name not in _NOT_ATTRIBUTES:
                person.attributes[name] = value

    def register(self, keys: Mapping[str, str]) -> None:
        """Somebody registers at the web shop."""
        if not self.with_keys(keys):
            self.make({**keys, "origin": "web shop"})

    def rename(self, person: Person, name: str) -> None:
        """A customer changes the first name at the web shop."""
        person.attributes["firstName"] = self.by_web[person.id, "firstName"] = name

    def show(self, person: Person) -> None:
        """An answer shows this contact."""
        self.shown.update((*known, value) for known, value in self.by_web.items() if known[0] == person.id)

    def merge(self, loser: Person, winner: Person) -> None:
        """Two contacts become one: the winner gets the keys and receipts, and the loser's id answers 404."""
        del self.people[loser.id]
        self.merged[loser.id] = winner.id
        for known, owner in list(self.by_key.items()):
            if owner == loser.id:
                self.by_key[known] = winner.id
        self.saved.move(loser.id, winner.id)

    def erase(self, person: Person) -> None:
        """A person asks to be erased: the contact is gone, with its history."""
        del self.people[person.id]
        self.forgiven.update(self.saved.history(person.id))
        self.erased.add(person.id)
        for known, owner in list(self.by_key.items()):
            if owner == person.id:
                del self.by_key[known]
                self.erased.add(":".join(known))

    # --- receipts -----------------------------------------------------------------------------------------------

    def take(self, body: Mapping[str, Any], by: str) -> str:
        """A receipt arrives; its id. One sale under two ids is a violation, by whichever route they arrive."""
        receipt_id = str(body["uniqueReceiptId"])
        sale = (str(body["storeExternalId"]), str(body["receiptNumber"]))
        known = self._ids_by_sale.setdefault(sale, receipt_id)
        if known != receipt_id:
            self.violations.append(f"{by}: the sale {sale[1]} of store {sale[0]} came as {known} and as {receipt_id}")
        return receipt_id

    def ids(self) -> set[str]:
        """The ids of all receipts that arrived, whatever happened to them."""
        return set(self._ids_by_sale.values())

    def enqueue(self, body: Mapping[str, Any]) -> None:
        """Accepted by the API, imported later."""
        self.queue.append((self.take(body, "api"), str(body["contact"]["matchKey"])))

    def import_queue(self) -> None:
        """The job of every 15 minutes."""
        while self.queue:
            receipt_id, contact_id = self.queue.popleft()
            while self.follows_merges and contact_id in self.merged:
                contact_id = self.merged[contact_id]
            self.settle(receipt_id, self.people.get(contact_id), contact_id)

    def settle(self, receipt_id: str, person: Person | None, named: str) -> None:
        """Save a receipt, ignore a known one, or drop it silently, as Engage does for an unknown contact."""
        if receipt_id in self.saved:
            return
        if receipt_id in self.ignores:
            self.ignored.add(receipt_id)
            return
        if person is None:
            self.dropped[receipt_id] = named
            if named in self.erased:
                self.forgiven.add(receipt_id)
            return
        self.saved.add(receipt_id, person.id)

    def has(self, receipt_id: str) -> bool:
        """Whether the receipt is here, imported or about to be."""
        return receipt_id in self.saved or any(receipt_id == queued for queued, _ in self.queue)

    def took(self, receipt_id: str) -> bool:
        """Whether it was accepted, whatever the import made of it."""
        return self.has(receipt_id) or receipt_id in self.dropped or receipt_id in self.ignored

    def advance(self, now: float) -> None:
        """Time has passed: run the import if it is due."""
        if now >= self.next_receipts:
            self.import_queue()
            self.next_receipts = now - now % RECEIPTS_EVERY + RECEIPTS_EVERY

    def doubled(self) -> Iterable[str]:
        """Kinds of keys that two contacts share."""
        seen: dict[tuple[str, str], str] = {}
        for person in self.people.values():
            for kind, value in person.keys.items():
                known = (kind, _normal(kind, value))
                if seen.setdefault(known, person.id) != person.id:
                    yield kind


def _normal(kind: str, value: str) -> str:
    return value.casefold() if kind == "email" else value

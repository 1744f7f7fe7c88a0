"""Which contact a customer is: found by the identifiers of the customer, and created when none is found.

A strong identifier (a card, an externalId) says who somebody is and belongs to one contact. An e-mail or a phone number
may be shared: it never leads to somebody who is known by another card (docs/decisions/0008-contacts.md).
Values here are personal data; events name contacts by their key only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from tillpost.journal.database import Transaction
from tillpost.journal.tables import events
from tillpost.model import STRONG, Customer, IdentifierRules, Receipt

Name = tuple[str, str]
"""Kind and value of an identifier."""
MOST_OWNERS = 10
"""Contacts that may have one e-mail or phone number; what more have is nobody's, such as the address of the shop."""
_NO_RULES = IdentifierRules()


def customer_of(
    receipt: Receipt, anonymous: Customer | None = None, rules: IdentifierRules = _NO_RULES
) -> Customer | None:
    """The customer of a receipt, with identifiers in their one spelling; the anonymous one when it names none."""
    customer = receipt.customer
    if customer is None or not customer.identifiers:
        return anonymous
    return rules.customer(customer, receipt.store)


def stated_at(receipt: Receipt, now: float) -> float:
    """When the sale stated what it says of its customer: never later than now, whatever the clock of the till says."""
    return min(receipt.created.timestamp(), now)


def find_or_create(transaction: Transaction, customer: Customer, store: str, now: float, at: float) -> str:
    """The key of the contact with these identifiers, created when there is none; attributes are merged in.

    at: the time of the sale, see `stated_at`.
    """
    links = ContactLinks(transaction, now)
    key = links.find_or_create(customer, store, at)
    links.save()
    events.insert(transaction, links.events)
    return key


def times_text(times: Mapping[str, float]) -> str:
    """The times of attributes as they are stored; `*` where all are of one sale, as most are."""
    one = set(times.values())
    return f'{{"*": {one.pop()!r}}}' if len(one) == 1 else json.dumps(times)


def times_of(text: str, names: Iterable[str]) -> dict[str, float]:
    """The stored times, by the names of the attributes. Raises ValueError."""
    if text == "{}":
        return {}
    if text.startswith('{"*": '):
        return dict.fromkeys(names, float(text[6:-1]))
    times: dict[str, float] = json.loads(text)
    return times


class ContactLinks:
    """The contacts of the customers in one commit; each is read once and written once.

    When the strong identifiers of a customer belong to several contacts, the first by rank decides and none is moved:
    merging people is a person's decision. events: to be inserted by the caller, in their order.
    """

    def __init__(self, transaction: Transaction, now: float) -> None:
        self._transaction = transaction
        self._now = now
        self.events: list[events.Row] = []
        self._owners: dict[Name, dict[str, bool]] = {}
        """Identifier → the contacts that have it, and of each whether it is shared with somebody else."""
        self._attributes: dict[str, dict[str, str]] = {}
        self._times: dict[str, dict[str, float]] = {}
        """Of the attributes, the time of the sale that stated each."""
        self._texts: dict[str, str] = {}
        """The stored JSON of attributes."""
        self._changed: set[str] = set()
        """Contacts whose attributes have changed, and not only their times."""
        self._strong: dict[str, dict[str, str]] = {}
        """Strong identifiers of contacts, kind → value, where they were asked for."""
        self._new: dict[str, str] = {}
        """Key of a new contact → its store."""
        self._known_again: dict[str, None] = {}
        self._new_identifiers: list[tuple[str, str, str, float]] = []

    def load(self, customers: Iterable[Customer]) -> None:
        """Read the contacts with these identifiers."""
        asked = {(known.kind, known.value) for customer in customers for known in customer.identifiers}
        asked -= self._owners.keys()
        for name in asked:
            self._owners[name] = {}
        wanted = set()
        for kind, value, key, shared in self._transaction.executemany(
            "SELECT kind, value, contact, shared FROM identifiers WHERE kind = ? AND value = ?",
            asked,
        ):
            self._owners[kind, value][key] = bool(shared)
            wanted.add(key)
        for key, attributes, times in self._transaction.executemany(
            "SELECT key, attributes, attribute_times FROM contacts WHERE key = ?",
            ((key,) for key in wanted - self._attributes.keys()),
        ):
            self._attributes[key] = json.loads(attributes) if attributes != "{}" else {}
            self._times[key] = times_of(times, self._attributes[key])
            self._texts[key] = attributes

    def find_or_create(self, customer: Customer, store: str, at: float) -> str:
        """As the function, for one of several customers of the commit."""
        names = [(known.kind, known.value) for known in customer.identifiers]
        if not all(map(self._owners.__contains__, names)):
            self.load([customer])
        strong = [name for name in names if name[0] in STRONG]
        key = self._by_strong(strong) if strong else self._by_weak(names)
        if key:
            self._state(key, customer.attributes, at)
            self._known_again[key] = None
        else:
            key = "c" + secrets.token_hex(8)
            self._attributes[key] = dict(customer.attributes)
            self._times[key] = dict.fromkeys(customer.attributes, at)
            self._strong[key] = {}
            # A contactId a till brings is an identifier like others until the destination has confirmed it.
            self._new[key] = store
            self._add_event("first seen", key, store=store)
        for name in names:
            if key not in self._owners[name] and self._may_add(key, name, bool(strong)):
                self._owners[name][key] = False
                self._new_identifiers.append((*name, key, at))
        return key

    def _by_strong(self, names: list[Name]) -> str:
        """The contact of the first strong identifier that is known; "" when none is, whoever has the others."""
        found = list(dict.fromkeys(key for name in names for key in self._owners[name]))
        if len(found) > 1:
            self._add_event("identifiers lead to several contacts", found[0])
        for number, name in enumerate(names):
            for key in self._owners[name]:
                # A stronger one that is not known yet must not be at odds with the contact's own.
                if all(self._strong_of(key).get(kind, value) == value for kind, value in names[:number]):
                    return key
        return ""

    def _by_weak(self, names: list[Name]) -> str:
        """The only contact that has the first known of these; of several the one without a card, which may be new."""
        own = [[key for key, shared in self._owners[name].items() if not shared] for name in names]
        found = [keys for keys in own if keys]
        if not found:
            return ""
        first = found[0]
        if len(first) > 1:
            first = [key for key in first if not self._strong_of(key)]
        if first and any(first[0] not in keys for keys in found[1:]):
            self._add_event("identifiers lead to several contacts", first[0])
        return first[0] if first else ""

    def _may_add(self, key: str, name: Name, by_strong: bool) -> bool:
        """Whether the contact gets the identifier too."""
        owners = self._owners[name]
        kind, value = name
        if kind not in STRONG:
            # Another's e-mail is shared only with somebody who is known by more than that.
            return len(owners) < MOST_OWNERS if by_strong else key in self._new or not owners
        if owners:
            return False
        strong = self._strong_of(key)
        if strong.get(kind, value) != value:
            self._add_event("another identifier of the same kind", key, kind=kind)
            return False
        strong[kind] = value
        return True

    def _strong_of(self, key: str) -> dict[str, str]:
        if key not in self._strong:
            rows = self._transaction.execute("SELECT kind, value FROM identifiers WHERE contact = ?", (key,))
            self._strong[key] = {kind: value for kind, value in rows if kind in STRONG}
        return self._strong[key]

    def _state(self, key: str, attributes: Mapping[str, str], at: float) -> None:
        """Take over the attributes that no later sale has stated."""
        known, times = self._attributes[key], self._times[key]
        for name, value in attributes.items():
            if name not in known or times.get(name, 0.0) <= at:
                times[name] = at
                if known.get(name) != value:
                    known[name] = value
                    self._changed.add(key)

    def _add_event(self, what: str, key: str, **detail: Any) -> None:
        self.events.append(events.row(self._now, "resolve", what, contact=key, **detail))

    def save(self) -> None:
        """Write the new and the changed contacts and identifiers."""
        self._transaction.executemany(
            "INSERT INTO contacts (key, attributes, sent, store, seen_at, attribute_times) VALUES (?,?,'{}',?,?,?)",
            (
                (key, json.dumps(self._attributes[key]), store, self._now, times_text(self._times[key]))
                for key, store in self._new.items()
            ),
        )
        self._transaction.executemany(
            "UPDATE contacts SET attributes = ?, attribute_times = ?, seen_at = ? WHERE key = ?",
            ((*self._text(key), self._now, key) for key in self._known_again if key not in self._new),
        )
        self._transaction.executemany(
            "INSERT INTO identifiers (kind, value, contact, learnt_at) VALUES (?,?,?,?)"
            " ON CONFLICT (kind, value, contact) DO NOTHING",
            self._new_identifiers,
        )

    def _text(self, key: str) -> tuple[str, str]:
        attributes, times = self._attributes[key], self._times[key]
        if not attributes:
            return "{}", "{}"
        return json.dumps(attributes) if key in self._changed else self._texts[key], times_text(times)

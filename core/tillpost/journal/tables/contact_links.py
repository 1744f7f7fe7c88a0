"""Which contact a customer is: found by the identifiers of the customer, and created when none is found.

Values here are personal data; events name contacts by their key only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from typing import Any

from tillpost.journal.database import Transaction
from tillpost.journal.tables import events
from tillpost.model import Customer, Receipt


def customer_of(receipt: Receipt, anonymous: Customer | None = None) -> Customer | None:
    """The customer of a receipt; the anonymous one when the receipt names none by an identifier."""
    customer = receipt.customer
    return customer if customer is not None and customer.identifiers else anonymous


def find_or_create(transaction: Transaction, customer: Customer, store: str, now: float) -> str:
    """The key of the contact with one of these identifiers, created when there is none; attributes are merged in."""
    links = ContactLinks(transaction, now)
    key = links.find_or_create(customer, store)
    links.save()
    events.insert(transaction, links.events)
    return key


class ContactLinks:
    """The contacts of the customers in one commit; each is read once and written once.

    When the identifiers of a customer belong to several contacts, the first identifier decides and none is moved:
    merging people is a person's decision. events: to be inserted by the caller, in their order.
    """

    def __init__(self, transaction: Transaction, now: float) -> None:
        self._transaction = transaction
        self._now = now
        self.events: list[events.Row] = []
        self._keys: dict[tuple[str, str], str | None] = {}
        self._attributes: dict[str, dict[str, str]] = {}
        self._texts: dict[str, str] = {}
        """The stored JSON of the attributes of contacts whose attributes have not changed."""
        self._new: dict[str, str] = {}
        """Key of a new contact → its store."""
        self._known_again: dict[str, None] = {}
        self._new_identifiers: list[tuple[str, str, str]] = []

    def load(self, customers: Iterable[Customer]) -> None:
        """Read the contacts with these identifiers."""
        asked = {(known.kind, known.value) for customer in customers for known in customer.identifiers}
        asked -= self._keys.keys()
        self._keys.update(dict.fromkeys(asked))
        wanted = set()
        for kind, value, key in self._transaction.executemany(
            "SELECT kind, value, contact FROM identifiers WHERE kind = ? AND value = ?", asked
        ):
            self._keys[kind, value] = key
            wanted.add(key)
        for key, attributes in self._transaction.executemany(
            "SELECT key, attributes FROM contacts WHERE key = ?", ((key,) for key in wanted - self._attributes.keys())
        ):
            self._attributes[key] = json.loads(attributes)
            self._texts[key] = attributes

    def find_or_create(self, customer: Customer, store: str) -> str:
        """As the function, for one of several customers of the commit."""
        names = [(known.kind, known.value) for known in customer.identifiers]
        if any(name not in self._keys for name in names):
            self.load([customer])
        found = [key for name in names if (key := self._keys[name]) is not None]
        if found:
            key = found[0]
            if len(set(found)) > 1:
                self._add_event("identifiers lead to several contacts", key)
            known = self._attributes[key]
            if any(known.get(name) != value for name, value in customer.attributes.items()):
                known |= customer.attributes
                self._texts.pop(key, None)
            self._known_again[key] = None
        else:
            key = "c" + secrets.token_hex(8)
            self._attributes[key] = dict(customer.attributes)
            # A contactId a till brings is an identifier like others until the destination has confirmed it.
            self._new[key] = store
            self._add_event("first seen", key, store=store)
        for name in names:
            if self._keys[name] is None:
                self._keys[name] = key
                self._new_identifiers.append((*name, key))
        return key

    def _add_event(self, what: str, key: str, **detail: Any) -> None:
        self.events.append(events.row(self._now, "resolve", what, contact=key, **detail))

    def save(self) -> None:
        """Write the new and the changed contacts and identifiers."""
        self._transaction.executemany(
            "INSERT INTO contacts (key, attributes, sent, store, seen_at) VALUES (?,?,'{}',?,?)",
            ((key, json.dumps(self._attributes[key]), store, self._now) for key, store in self._new.items()),
        )
        self._transaction.executemany(
            "UPDATE contacts SET attributes = ?, seen_at = ? WHERE key = ?",
            (
                (self._texts.get(key) or json.dumps(self._attributes[key]), self._now, key)
                for key in self._known_again
                if key not in self._new
            ),
        )
        self._transaction.executemany("INSERT INTO identifiers VALUES (?,?,?)", self._new_identifiers)

"""Contacts in which an earlier version joined people who have cards of their own, by an e-mail or phone they share.

They are told, and taken apart when a person says so: what was delivered stays where it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from tillpost.errors import InvalidValue, UsageError
from tillpost.journal.database import List, Transaction
from tillpost.journal.states import OPEN, State
from tillpost.journal.tables import contact_links, events
from tillpost.model import STRONG, Identifier, IdentifierRules
from tillpost.model.receipt_json import loads

Read = Callable[[str, tuple[Any, ...]], Iterable[tuple[Any, ...]]]
_WAITS = List((*OPEN, State.HELD))
_NO_RULES = IdentifierRules()


def joined(read: Read, key: str = "") -> dict[str, dict[str, list[list[str]]]]:
    """Contact → kind → the different values of that kind, each as its spellings; of one contact, or of all."""
    strong = List(sorted(STRONG))
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for contact, kind, value in read(
        "SELECT contact, kind, value FROM identifiers WHERE (contact, kind) IN"
        " (SELECT contact, kind FROM identifiers WHERE kind IN (SELECT value FROM json_each(?1))"
        " AND contact = coalesce(?2, contact) GROUP BY contact, kind HAVING count(*) > 1)"
        " ORDER BY contact, kind, value",
        (strong, key or None),
    ):
        if isinstance(value, str) and value:
            normal = _NO_RULES.normal(Identifier(kind, value), "").value
            found.setdefault(str(contact), {}).setdefault(kind, {}).setdefault(normal, []).append(value)
    several = {
        contact: {kind: list(values.values()) for kind, values in kinds.items() if len(values) > 1}
        for contact, kinds in found.items()
    }
    return {contact: kinds for contact, kinds in several.items() if kinds}


def separate(transaction: Transaction, key: str, rules: IdentifierRules, now: float) -> list[str]:
    """Make a contact of each card of a contact; the keys of the new ones. All are looked up again.

    Raises UsageError when it has not several.
    """
    added: list[str] = []
    for kind, values in joined(transaction.execute, key).get(key, {}).items():
        for spellings in values[1:]:
            new = "c" + secrets.token_hex(8)
            transaction.execute(
                "INSERT INTO contacts (key, attributes, sent, store, seen_at)"
                " SELECT ?, '{}', '{}', store, seen_at FROM contacts WHERE key = ?",
                (new, key),
            )
            transaction.executemany(
                "UPDATE identifiers SET contact = ? WHERE kind = ? AND value = ? AND contact = ?",
                ((new, kind, value, key) for value in spellings),
            )
            events.record(transaction, now, "resolve", "separated", contact=new, before=key)
            added.append(new)
    if not added:
        raise UsageError(f"contact {key} has one card at most; `tillpost contacts conflicts` lists those with several")
    # Whose attributes and id these are nobody knows.
    transaction.execute(
        "UPDATE contacts SET attributes = '{}', attribute_times = '{}', sent = '{}', contact_id = '', origin = '',"
        " learnt_at = NULL, confirmed_at = 0 WHERE key = ?",
        (key,),
    )
    events.record(transaction, now, "resolve", "separated", contact=key, into=added)
    _follow(transaction, key, rules, now)
    return added


def _follow(transaction: Transaction, key: str, rules: IdentifierRules, now: float) -> None:
    """Give the receipts of a separated contact that wait to the contact of their own card."""
    rows = transaction.execute(
        "SELECT r.seq, b.body FROM receipts r JOIN bodies b USING (seq)"
        " WHERE r.contact = ? AND r.state IN (SELECT value FROM json_each(?)) ORDER BY r.seq",
        (key, _WAITS),
    ).fetchall()
    for seq, body in rows:
        try:
            receipt = loads(body)
        except (InvalidValue, TypeError):
            continue
        if (customer := contact_links.customer_of(receipt, None, rules)) is not None:
            at = contact_links.stated_at(receipt, now)
            own = contact_links.find_or_create(transaction, customer, receipt.store, now, at)
            transaction.execute("UPDATE receipts SET contact = ? WHERE seq = ?", (own, seq))

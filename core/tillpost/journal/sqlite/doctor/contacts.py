"""Checks of contacts and identifiers. Most of a contact can be restored from its receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import apsw

from tillpost.journal.sqlite.doctor.damage import Damage, Fix, decode_body, encode_row, is_json
from tillpost.journal.tables.contact_links import customer_of, stated_at
from tillpost.journal.tables.joined_people import joined
from tillpost.model import STRONG, Customer, Receipt

_JSON = ("attributes", "sent", "in_files", "attribute_times")
_NAMED = ", ".join(f"'{kind}'" for kind in sorted(STRONG))
_COLUMNS = ["key", "contact_id", "attributes", "sent", "store", "origin", "file", "seen_at", "learnt_at", "in_files"]
_SINCE_15 = ["attribute_times"]
_COLUMNS.append("confirmed_at")


def examine(connection: apsw.Connection) -> Iterator[Damage]:
    """Find columns that make no sense, and contacts that other rows name and that are missing."""
    there = {name for _, name, *_ in connection.execute("PRAGMA table_info(contacts)")}
    columns = [*_COLUMNS, *(name for name in _SINCE_15 if name in there)]
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM contacts"):  # noqa: S608 - ours
        values = dict(zip(columns, row, strict=True))
        wrong = [name for name in _JSON if name in values and not is_json(values[name], dict)]
        wrong += [
            name for name in ("key", "contact_id", "store", "origin", "file") if not isinstance(values[name], str)
        ]
        wrong += [name for name in ("seen_at", "confirmed_at") if not isinstance(values[name], int | float)]
        wrong += [] if isinstance(values["learnt_at"], int | float | None) else ["learnt_at"]
        if wrong:
            yield Damage(
                table="contacts", row=str(row[0]), reason=f"makes no sense: {', '.join(wrong)}",
                lost="what only the contact had; its receipts have the rest", remedy="filled from its receipts",
                raw=encode_row(columns, row), fix=_fix_columns(row[0], tuple(wrong)),
            )  # fmt: skip
    for (key,) in connection.execute(
        "SELECT key FROM contacts WHERE key NOT IN (SELECT contact FROM identifiers) ORDER BY key"
    ):
        recoverable = any(_customers(connection, key))
        yield Damage(
            table="identifiers", row=str(key), reason="a contact has none", lost="how the contact is known",
            remedy="filled from its receipts" if recoverable else "none of its receipts has one: they will be held",
            fix=_relink(key), note=not recoverable,
        )  # fmt: skip
    yield from _joined(connection)
    missing = connection.execute(
        "SELECT contact, count(*) FROM (SELECT contact FROM receipts WHERE contact IS NOT NULL"
        " UNION ALL SELECT contact FROM identifiers)"
        " WHERE contact NOT IN (SELECT key FROM contacts) GROUP BY contact"
    )
    for key, _ in missing:
        yield Damage(
            table="contacts", row=str(key), reason="is named by other rows and missing",
            lost="its contactId, which is looked up again, and attributes that no receipt has",
            remedy="recreated from its receipts", fix=_recreate(key),
        )  # fmt: skip


def _joined(connection: apsw.Connection) -> Iterator[Damage]:
    """Find contacts in which an earlier version joined people who have cards of their own, by a shared e-mail."""
    for key, kinds in joined(connection.execute).items():
        for kind, values in kinds.items():
            yield Damage(
                table="identifiers", row=key, reason=f"a contact has {len(values)} different values of {kind}",
                lost="whose its receipts are, if these are several people",
                remedy=f"`tillpost contacts separate {key}` makes a contact of each", note=True,
            )  # fmt: skip


def _relink(key: object) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        _follow_identifiers(connection, key)  # receipts whose identifiers belong to another contact go to that one
        _fill_from_receipts(connection, key, ())

    return fix


def _recreate(key: object) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        if not connection.execute("SELECT 1 FROM identifiers WHERE contact = ?", (key,)).fetchone():
            # No identifier has this key: the key of the receipt is damaged if its customer has another contact.
            _follow_identifiers(connection, key)
            if not connection.execute("SELECT 1 FROM receipts WHERE contact = ?", (key,)).fetchone():
                return
        connection.execute(
            "INSERT OR IGNORE INTO contacts (key, attributes, sent, store, seen_at) VALUES (?, '{}', '{}', '', ?)",
            (key, now),
        )
        _fill_from_receipts(connection, key, ("attributes", "store"))

    return fix


def _follow_identifiers(connection: apsw.Connection, key: object) -> None:
    for seq, body, checksum in list(
        connection.execute("SELECT seq, body, checksum FROM receipts JOIN bodies USING (seq) WHERE contact = ?", (key,))
    ):
        receipt = decode_body(body, checksum)
        customer = customer_of(receipt) if receipt is not None else None
        for known in customer.identifiers if customer is not None else ():
            row = connection.execute(
                "SELECT contact FROM identifiers WHERE kind = ? AND value = ?", (known.kind, known.value)
            ).fetchone()
            if row is not None:
                connection.execute("UPDATE receipts SET contact = ? WHERE seq = ?", (row[0], seq))
                break


def _fix_columns(key: object, wrong: tuple[str, ...]) -> Fix:
    fresh: dict[str, object] = dict.fromkeys(("contact_id", "origin", "file", "store"), "")
    fresh |= {"sent": "{}", "in_files": "{}", "learnt_at": None, "confirmed_at": 0}  # 0: the destination is asked

    def fix(connection: apsw.Connection, now: float) -> None:
        for name in wrong:
            if name in fresh or name == "seen_at":
                value = fresh.get(name, now)
                connection.execute(f"UPDATE contacts SET {name} = ? WHERE key = ?", (value, key))  # noqa: S608 - ours
        _fill_from_receipts(connection, key, wrong)

    return fix


def _customers(connection: apsw.Connection, key: object) -> Iterator[tuple[Receipt, float, Customer]]:
    """The receipts of a contact whose content is whole and names a customer, each with the time of its
    acceptance and that customer."""
    rows = connection.execute(
        "SELECT b.body, b.checksum, r.accepted_at FROM receipts r JOIN bodies b USING (seq) WHERE r.contact = ?"
        " ORDER BY seq",
        (key,),
    )
    for body, checksum, accepted_at in list(rows):
        receipt = decode_body(body, checksum)
        if receipt is not None and (customer := customer_of(receipt)) is not None:
            yield receipt, accepted_at, customer


def _fill_from_receipts(connection: apsw.Connection, key: object, wrong: tuple[str, ...]) -> None:
    attributes: dict[str, str] = {}
    times: dict[str, float] = {}
    store = ""
    for receipt, accepted_at, customer in _customers(connection, key):
        store, at = receipt.store, stated_at(receipt, accepted_at)
        for name, value in customer.attributes.items():
            if times.get(name, -1.0) <= at:
                attributes[name], times[name] = value, at
        for known in customer.identifiers:
            connection.execute(
                "INSERT OR IGNORE INTO identifiers (kind, value, contact) SELECT ?1, ?2, ?3 WHERE"  # noqa: S608 - ours
                f" ?1 NOT IN ({_NAMED}) OR NOT EXISTS (SELECT 1 FROM identifiers WHERE kind = ?1 AND value = ?2)",
                (known.kind, known.value, key),
            )
    if "attributes" in wrong or "attribute_times" in wrong:
        connection.execute(
            "UPDATE contacts SET attributes = ?, attribute_times = ? WHERE key = ?",
            (json.dumps(attributes), json.dumps(times), key),
        )
    if "store" in wrong:
        connection.execute("UPDATE contacts SET store = ? WHERE key = ?", (store, key))

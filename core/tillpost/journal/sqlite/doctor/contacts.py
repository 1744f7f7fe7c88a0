"""Checks of contacts and identifiers. Most of a contact can be restored from its receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import apsw

from tillpost.journal.sqlite.doctor.damage import Damage, Fix, decode_body, encode_row, is_json
from tillpost.journal.tables.contact_links import customer_of
from tillpost.model import Customer

_COLUMNS = ["key", "contact_id", "attributes", "sent", "store", "origin", "file", "seen_at", "learnt_at", "in_files"]
_COLUMNS.append("confirmed_at")


def examine(connection: apsw.Connection) -> Iterator[Damage]:
    """Find columns that make no sense, and contacts that other rows name and that are missing."""
    for row in connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM contacts"):  # noqa: S608 - ours
        values = dict(zip(_COLUMNS, row, strict=True))
        wrong = [name for name in ("attributes", "sent", "in_files") if not is_json(values[name], dict)]
        wrong += [
            name for name in ("key", "contact_id", "store", "origin", "file") if not isinstance(values[name], str)
        ]
        wrong += [name for name in ("seen_at", "confirmed_at") if not isinstance(values[name], int | float)]
        wrong += [] if isinstance(values["learnt_at"], int | float | None) else ["learnt_at"]
        if wrong:
            yield Damage(
                table="contacts", row=str(row[0]), reason=f"makes no sense: {', '.join(wrong)}",
                lost="what only the contact had; its receipts have the rest", remedy="filled from its receipts",
                raw=encode_row(_COLUMNS, row), fix=_fix_columns(row[0], tuple(wrong)),
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
        for known in receipt.customer.identifiers if receipt is not None and receipt.customer is not None else ():
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


def _customers(connection: apsw.Connection, key: object) -> Iterator[tuple[str, Customer]]:
    """Store and customer of each receipt of a contact whose content is whole and names one."""
    rows = connection.execute(
        "SELECT b.body, b.checksum FROM receipts r JOIN bodies b USING (seq) WHERE r.contact = ? ORDER BY seq", (key,)
    )
    for body, checksum in list(rows):
        receipt = decode_body(body, checksum)
        if receipt is not None and (customer := customer_of(receipt)) is not None:
            yield receipt.store, customer


def _fill_from_receipts(connection: apsw.Connection, key: object, wrong: tuple[str, ...]) -> None:
    attributes: dict[str, str] = {}
    store = ""
    for store, customer in _customers(connection, key):  # noqa: B007 - the last one's store stays
        attributes |= customer.attributes
        for known in customer.identifiers:
            connection.execute("INSERT OR IGNORE INTO identifiers VALUES (?,?,?)", (known.kind, known.value, key))
    if "attributes" in wrong:
        connection.execute("UPDATE contacts SET attributes = ? WHERE key = ?", (json.dumps(attributes), key))
    if "store" in wrong:
        connection.execute("UPDATE contacts SET store = ? WHERE key = ?", (store, key))

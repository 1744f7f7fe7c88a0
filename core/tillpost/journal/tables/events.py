"""The event rows: everything that happens to a receipt or a contact, in order. No personal data in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tillpost.journal.database import Database, Transaction

_INSERT = "INSERT INTO events (receipt, contact, at, step, what, detail) VALUES (?,?,?,?,?,?)"
_encoder = json.JSONEncoder(default=str, sort_keys=True)


Row = tuple[int | None, str | None, float, str, str, str]


def row(
    at: float, step: str, what: str, *, receipt: int | None = None, contact: str | None = None, **detail: Any
) -> Row:
    """An event, for `insert`."""
    return receipt, contact, at, step, what, _encoder.encode(detail)


def detail(told: Mapping[str, Any]) -> str:
    """What an event tells beside its name, as it is stored."""
    return _encoder.encode(told)


def insert(transaction: Transaction, rows: Iterable[Row]) -> None:
    """Add events in the transaction of what they tell of."""
    transaction.executemany(_INSERT, rows)


def record(
    transaction: Transaction,
    at: float,
    step: str,
    what: str,
    *,
    receipt: int | None = None,
    contact: str | None = None,
    **detail: Any,
) -> None:
    """Add an event in the transaction of what it tells of."""
    transaction.execute(_INSERT, row(at, step, what, receipt=receipt, contact=contact, **detail))


def record_all(
    transaction: Transaction, at: float, step: str, what: str, *, receipts: Iterable[int], **detail: Any
) -> None:
    """The same event of many receipts, in their order."""
    told = _encoder.encode(detail)
    transaction.executemany(_INSERT, ((receipt, None, at, step, what, told) for receipt in receipts))


class Events:
    """The events as observers read them: in order, each until it is marked as told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unobserved(self, limit: int) -> list[dict[str, Any]]:
        """The next events no observer has been told of; receipts by their id."""
        rows = self._database.read(
            "SELECT e.seq, e.at, e.step, e.what, e.detail, r.id, e.contact FROM events e"
            " LEFT JOIN receipts r ON r.seq = e.receipt"
            " WHERE e.seq > (SELECT observed FROM destination) ORDER BY e.seq LIMIT ?",
            (limit,),
        )
        names = ("seq", "at", "step", "what", "detail", "receipt", "contact")
        return [dict(zip(names, row, strict=True)) | {"detail": _detail(row[4])} for row in rows]

    def of_receipt(self, seq: int) -> list[dict[str, Any]]:
        """The events of a receipt, oldest first; the detail is JSON."""
        return self._life("receipt", seq)

    def of_contact(self, key: str) -> list[dict[str, Any]]:
        """The events of a contact, oldest first; the detail is JSON."""
        return self._life("contact", key)

    def _life(self, column: str, value: int | str) -> list[dict[str, Any]]:
        names = ("seq", "at", "step", "what", "detail")
        sql = f"SELECT {', '.join(names)} FROM events WHERE {column} = ? ORDER BY seq"  # noqa: S608 - ours
        return [dict(zip(names, row, strict=True)) for row in self._database.read(sql, (value,))]

    def add(self, at: float, step: str, what: str, *, receipt: int, **detail: Any) -> None:
        """Something that happened to a receipt without moving it; returns once it is on the disk."""
        self._database.write(lambda transaction: record(transaction, at, step, what, receipt=receipt, **detail))

    def mark_observed(self, seq: int) -> None:
        """Observers have been told of everything up to here."""
        self._database.write(
            lambda transaction: transaction.execute("UPDATE destination SET observed = ?", (seq,)) and None
        )


def _detail(text: object) -> Any:
    """What an event tells beside its name. A damaged one is told as such: observers get what is left of it."""
    try:
        return json.loads(text) if isinstance(text, str) else {"damaged": True}
    except (ValueError, RecursionError):
        return {"damaged": True}

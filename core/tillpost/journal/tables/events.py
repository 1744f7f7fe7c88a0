"""Events: everything that happens to a receipt or a contact, in order, without personal data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tillpost.journal.database import Table, Transaction

_INSERT = "INSERT INTO events (receipt, contact, at, step, what, detail) VALUES (?,?,?,?,?,?)"
_encoder = json.JSONEncoder(default=str, sort_keys=True)


Row = tuple[int | None, str | None, float, str, str, str]


def row(
    at: float, step: str, what: str, *, receipt: int | None = None, contact: str | None = None, **detail: Any
) -> Row:
    """A row for `insert`."""
    return receipt, contact, at, step, what, _encoder.encode(detail)


def detail(fields: Mapping[str, Any]) -> str:
    """The detail of an event as it is stored: JSON."""
    return _encoder.encode(fields)


def insert(transaction: Transaction, rows: Iterable[Row]) -> None:
    """Insert events, in the transaction of the changes they are about."""
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
    """Insert one event, in the transaction of the change it is about."""
    transaction.execute(_INSERT, row(at, step, what, receipt=receipt, contact=contact, **detail))


def record_all(
    transaction: Transaction, at: float, step: str, what: str, *, receipts: Iterable[int], **detail: Any
) -> None:
    """Insert the same event for many receipts, in their order."""
    fields = _encoder.encode(detail)
    transaction.executemany(_INSERT, ((receipt, None, at, step, what, fields) for receipt in receipts))


class Events(Table):
    """The table of events, with the place up to which observers have read it."""

    def unobserved(self, limit: int) -> list[dict[str, Any]]:
        """The next events that observers have not seen, with the ids of their receipts."""
        return self._with_ids("WHERE e.seq > (SELECT observed FROM destination) ORDER BY e.seq", limit)

    def observed_after(self, seq: int, limit: int) -> list[dict[str, Any]]:
        """The next events behind this one that the other observers have seen."""
        clause = "WHERE e.seq > ? AND e.seq <= (SELECT observed FROM destination) ORDER BY e.seq"
        return self._with_ids(clause, seq, limit)

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The events that happened last, at most so many, oldest first; receipts by their id."""
        return self._with_ids("ORDER BY e.seq DESC", limit)[::-1]

    def _with_ids(self, clause: str, *values: int) -> list[dict[str, Any]]:
        rows = self._database.read(
            "SELECT e.seq, e.at, e.step, e.what, e.detail, r.id, e.contact FROM events e"  # noqa: S608 - clauses are ours
            f" LEFT JOIN receipts r ON r.seq = e.receipt {clause} LIMIT ?",
            values,
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

    def add(self, at: float, step: str, what: str, *, receipt: int | None = None, **detail: Any) -> None:
        """Record an event that moves no receipt; returns once it is durable."""
        self._database.write(lambda transaction: record(transaction, at, step, what, receipt=receipt, **detail))


def _detail(text: object) -> Any:
    """The detail of an event; `{"damaged": true}` when it cannot be read."""
    try:
        return json.loads(text) if isinstance(text, str) else {"damaged": True}
    except (ValueError, RecursionError):
        return {"damaged": True}

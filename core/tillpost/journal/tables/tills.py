"""Every known till with its last receipt, kept so that a page needs no query of receipts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from tillpost.journal.database import Table, Transaction


@attrs.frozen
class Till:
    """A till of a store, as its receipts show it; "" is the till of a format that names none.

    first_at, last_at: when its first and its latest receipt were accepted, seconds since 1970. receipts: how many were
    accepted ever, also those retention has removed. last_number, last_created: of the receipt accepted last, which a
    till that catches up need not have printed last.
    """

    store: str
    till: str
    first_at: float
    last_at: float
    receipts: int
    last_number: str
    last_created: str


class Tills(Table):
    """What the journal knows of them."""

    def all(self) -> list[Till]:
        """Every till, by store."""
        return [Till(*row) for row in self._database.read("SELECT * FROM tills ORDER BY store, till")]


def record(transaction: Transaction, rows: Iterable[tuple[Any, ...]]) -> None:
    """Receipts were accepted: store, till, accepted_at, number, created of each, in order."""
    found: dict[tuple[str, str], list[Any]] = {}
    for store, till, at, number, created in rows:
        if store:
            one = found.setdefault((store, till), [at, at, 0, number, created])
            one[1:] = at, one[2] + 1, number, created
    transaction.executemany(
        "INSERT INTO tills VALUES (?,?,?,?,?,?,?) ON CONFLICT (store, till) DO UPDATE SET last_at = excluded.last_at,"
        " receipts = receipts + excluded.receipts, last_number = excluded.last_number,"
        " last_created = excluded.last_created",
        [(*key, *one) for key, one in found.items()],
    )

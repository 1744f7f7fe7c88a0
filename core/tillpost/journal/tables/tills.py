"""The tills that were ever seen, each with its last receipt: a page asks at each look, so no receipt is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import attrs

from tillpost.journal.sqlite.store import Store


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


class Tills:
    """What the journal knows of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[Till]:
        """Every till, by store."""
        return [Till(*row) for row in self._store.read("SELECT * FROM tills ORDER BY store, till")]


def seen(connection: apsw.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Receipts were accepted: store, till, accepted_at, number, created of each, in order."""
    found: dict[tuple[str, str], list[Any]] = {}
    for store, till, at, number, created in rows:
        if store:
            one = found.setdefault((store, till), [at, at, 0, number, created])
            one[1:] = at, one[2] + 1, number, created
    connection.executemany(
        "INSERT INTO tills VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET last_at = excluded.last_at,"
        " receipts = receipts + excluded.receipts, last_number = excluded.last_number,"
        " last_created = excluded.last_created",
        [(*key, *one) for key, one in found.items()],
    )

"""Counters of receipts and contacts by state, kept up to date: counting ten million rows takes seconds.

Triggers count moves and removals (schema.py, 6). A trigger for each accepted receipt would cost a sixth of its
insertion, so those are counted here, once for each group. The counters are for display and decide nothing; `journal
verify` checks them, and a repair counts again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tillpost.journal.database import Transaction
from tillpost.journal.states import State
from tillpost.journal.tables import tills

CONTACTS = ("known", "pending", "created", "reconciled", "conflicts", "unsaved")

_RECEIPTS = (
    # Two queries, because the index by state and route has no reasons.
    "SELECT state, route, '', count(*) FROM receipts WHERE state <> 'skipped' GROUP BY state, route"
    " UNION ALL SELECT state, route, reason, count(*) FROM receipts WHERE state = 'skipped' GROUP BY 2, 3"
    " UNION ALL SELECT CASE retail WHEN 0 THEN 'ignored record' ELSE 'skipped record' END, '', reason, count(*)"
    " FROM no_receipts GROUP BY retail, reason"
    " UNION ALL SELECT 'verified', route, '', count(*) FROM receipts WHERE verified_at IS NOT NULL GROUP BY route"
)
_CONTACTS = (
    "SELECT count(*) FILTER (WHERE contact_id <> ''),"
    " count(*) FILTER (WHERE contact_id = '' AND file <> '' AND conflict = ''),"
    " count(*) FILTER (WHERE origin = 'created'), count(*) FILTER (WHERE contact_id <> '' AND file <> ''),"
    " count(*) FILTER (WHERE conflict <> ''), count(*) FILTER (WHERE unsaved <> '[]') FROM contacts"
)


def count_inserted_behind(transaction: Transaction, last: int) -> None:
    """Count the receipts that were just inserted, in the same transaction: those behind the row `last`."""
    columns = "state, route, reason, store, till, accepted_at, number, created"
    rows = transaction.execute(f"SELECT {columns} FROM receipts WHERE seq > ? ORDER BY seq", (last,))  # noqa: S608
    count_inserted(transaction, rows.fetchall())


def count_inserted(transaction: Transaction, added: Sequence[tuple[Any, ...]]) -> None:
    """As `count_inserted_behind`, of rows at hand: state, route, reason, store, till, accepted_at, number, created."""
    stand = Counter((row[0], row[1], row[2] if row[0] == State.SKIPPED else "") for row in added)
    tills.record(transaction, (row[3:] for row in added))
    transaction.executemany(
        "INSERT INTO counters VALUES (?,?,?,?) ON CONFLICT (state, route, reason)"
        " DO UPDATE SET count = counters.count + excluded.count",
        [(*where, count) for where, count in stand.items()],
    )


def mismatches(transaction: Transaction) -> list[str]:
    """Where the counters differ from the rows; empty when they agree."""
    counted_of = {
        tuple(row[:3]): row[3] for row in transaction.execute("SELECT state, route, reason, count FROM counters")
    }
    there = {tuple(row[:3]): row[3] for row in transaction.execute(_RECEIPTS)}
    off = [
        f"{where[0]}: {counted_of.get(where, 0)} counted, {there.get(where, 0)} there"
        for where in sorted(counted_of.keys() | there.keys(), key=str)
        if counted_of.get(where, 0) != there.get(where, 0)
    ]
    totals = transaction.execute(f"SELECT {', '.join(CONTACTS)} FROM contact_counters").fetchall()  # noqa: S608 - ours
    if totals != transaction.execute(_CONTACTS).fetchall():
        off.append("contacts")
    return off


def recount(transaction: Transaction) -> None:
    """Set the counters by counting every row."""
    transaction.execute("DELETE FROM counters")
    transaction.execute(f"INSERT INTO counters {_RECEIPTS}")
    transaction.execute("DELETE FROM contact_counters")
    transaction.execute(f"INSERT INTO contact_counters SELECT 1, * FROM ({_CONTACTS})")  # noqa: S608 - ours

"""How many stand where, counted as they come and go: counting ten million rows takes seconds.

Triggers count moves and removals (schema.py, 6). A trigger for each receipt accepted would cost a sixth of its
insertion, so those are counted here, once a group. The numbers are for show: nothing is decided by them, `journal
verify` proves them, and a repair counts anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import apsw

from tillpost.journal.states import State
from tillpost.journal.tables import tills

_P = ParamSpec("_P")
_T = TypeVar("_T")
CONTACTS = ("known", "pending", "created", "reconciled", "conflicts", "unsaved")

_RECEIPTS = (
    # In two, for the index by state and route holds all but the reasons.
    "SELECT state, route, '', count(*) FROM receipts WHERE state <> 'skipped' GROUP BY state, route"
    " UNION ALL SELECT state, route, reason, count(*) FROM receipts WHERE state = 'skipped' GROUP BY 2, 3"
    " UNION ALL SELECT iif(retail, 'skipped record', 'ignored record'), '', reason, count(*) FROM no_receipts"
    " GROUP BY retail, reason"
)
_CONTACTS = (
    "SELECT count(*) FILTER (WHERE contact_id <> ''),"
    " count(*) FILTER (WHERE contact_id = '' AND file <> '' AND conflict = ''),"
    " count(*) FILTER (WHERE origin = 'created'), count(*) FILTER (WHERE contact_id <> '' AND file <> ''),"
    " count(*) FILTER (WHERE conflict <> ''), count(*) FILTER (WHERE unsaved <> '[]') FROM contacts"
)


def counted(work: Callable[Concatenate[apsw.Connection, _P], _T]) -> Callable[Concatenate[apsw.Connection, _P], _T]:
    """The receipts that `work` adds in a transaction are counted in it."""

    @wraps(work)
    def counting(connection: apsw.Connection, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        last = connection.execute("SELECT max(seq) FROM receipts").get or 0
        done = work(connection, *args, **kwargs)
        added = connection.execute(
            "SELECT state, route, reason, store, till, accepted_at, number, created FROM receipts WHERE seq > ?"
            " ORDER BY seq",
            (last,),
        ).fetchall()
        stand = Counter((row[0], row[1], row[2] if row[0] == State.SKIPPED else "") for row in added)
        tills.seen(connection, (row[3:] for row in added))
        connection.executemany(
            "INSERT INTO counters VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(*where, count) for where, count in stand.items()],
        )
        return done

    return counting


def wrong(connection: apsw.Connection) -> list[str]:
    """What the numbers say and what is there, where the two differ."""
    said = {tuple(row[:3]): row[3] for row in connection.execute("SELECT state, route, reason, count FROM counters")}
    there = {tuple(row[:3]): row[3] for row in connection.execute(_RECEIPTS)}
    off = [
        f"{where[0]}: {said.get(where, 0)} counted, {there.get(where, 0)} there"
        for where in sorted(said.keys() | there.keys(), key=str)
        if said.get(where, 0) != there.get(where, 0)
    ]
    kept = connection.execute(f"SELECT {', '.join(CONTACTS)} FROM contact_counters").fetchall()  # noqa: S608 - ours
    if kept != connection.execute(_CONTACTS).fetchall():
        off.append("contacts")
    return off


def count_anew(connection: apsw.Connection) -> None:
    """Count every row."""
    connection.execute("DELETE FROM counters")
    connection.execute(f"INSERT INTO counters {_RECEIPTS}")
    connection.execute("DELETE FROM contact_counters")
    connection.execute(f"INSERT INTO contact_counters SELECT 1, * FROM ({_CONTACTS})")  # noqa: S608 - ours

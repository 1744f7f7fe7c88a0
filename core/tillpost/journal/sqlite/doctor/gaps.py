"""Missing rows: those that were not removed, and the gap that a journal leaves that went back."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from tillpost.journal.database import Transaction, first
from tillpost.journal.sqlite.commit_mark import LAST_EVENT
from tillpost.journal.sqlite.doctor.damage import Damage
from tillpost.journal.tables import events, removed_rows

_AHEAD = 1_000_000_000
"""Events by which a journal goes ahead of what is known: more than it can have committed unseen."""


def examine(connection: apsw.Connection) -> Iterator[Damage]:
    """Find receipts that were lost with their content."""
    known = bool(connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'removed'").get)
    for seq in list(_missing(connection, known)):
        document = connection.execute(
            "SELECT json_extract(detail, '$.document') FROM events"
            " WHERE receipt = ? AND step = 'accept' AND json_valid(detail)",
            (seq,),
        ).get
        last = connection.execute("SELECT what FROM events WHERE receipt = ? ORDER BY seq DESC LIMIT 1", (seq,)).get
        last_step = f"; its last event: {last}" if last else ""
        again = f"accept {document} again" if document else "accept the documents of that time again"

        def enter(connection: apsw.Connection, now: float, seq: int = seq) -> None:
            removed_rows.record(connection, removed_rows.LOST, [seq])

        yield Damage(
            table="receipts", row=str(seq), reason=f"the row and its content are gone{last_step}",
            lost="the receipt", remedy=again, fix=enter if known else None,
        )  # fmt: skip


def _missing(connection: apsw.Connection, known: bool) -> Iterator[int]:
    there = "SELECT seq AS first, seq AS last FROM receipts UNION SELECT seq, seq FROM bodies"
    if known:
        there += f" UNION SELECT first, last FROM removed WHERE of <> '{removed_rows.EVENTS}'"  # noqa: S608 - ours
    end = 0
    for begin, last in connection.execute(f"{there} ORDER BY first"):
        yield from range(end + 1, begin)
        end = max(end, last)
    for (seq,) in connection.execute("SELECT DISTINCT receipt FROM events WHERE receipt > ? ORDER BY receipt", (end,)):
        yield seq


def lost_events(connection: apsw.Connection) -> int:
    """The number of missing events that were not removed."""
    count, begin, last = connection.execute("SELECT count(*), min(seq), max(seq) FROM events").get
    if not count:
        return 0
    gone = 0
    if connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'removed'").get:
        gone = connection.execute(
            "SELECT sum(last - first + 1) FROM removed WHERE of = ? AND first > ?", (removed_rows.EVENTS, begin)
        ).get
    return int(last - begin + 1 - count - (gone or 0))


def go_ahead(transaction: Transaction, known: int, now: float, reason: str) -> None:
    """Give the events from now on a seq above every one that was ever given out: observers tell repeats by it.

    known: the last event that is known of the journal, which is older or another one now; of what came after that, or
    after a backup, nobody knows.
    """
    last = int(first(transaction.execute(LAST_EVENT)))
    seq = max(last, known) + _AHEAD
    transaction.execute("INSERT INTO removed VALUES (?, ?, ?)", (removed_rows.EVENTS, last + 1, seq - 1))
    events.record(transaction, now, "journal", "went back", reason=reason)
    transaction.execute("UPDATE events SET seq = ? WHERE seq = (SELECT max(seq) FROM events)", (seq,))

"""Stored wall times that decide about the future move with the wall clock when it is set."""

from __future__ import annotations

from tillpost.journal.database import Database, Transaction
from tillpost.journal.states import OPEN
from tillpost.journal.tables import events

_OPEN = ", ".join(f"'{state}'" for state in OPEN)


def latest(database: Database) -> float:
    """The latest time of an open receipt or of the newest event; 0 when there is neither."""
    newest = database.read("SELECT at FROM events ORDER BY seq DESC LIMIT 1")
    changed = database.read(f"SELECT max(changed_at) FROM receipts WHERE state IN ({_OPEN})")  # noqa: S608
    return max((float(row[0] or 0.0) for row in (*newest, *changed)), default=0.0)


def move_pending(transaction: Transaction, seconds: float, now: float) -> None:
    """Add `seconds` to the times of receipts, files and the destination that are still open.

    now: the wall time after the clock was set. Receipts changed since then have times of the new clock already, and
    events keep theirs.
    """
    transaction.execute(
        f"UPDATE receipts SET due = due + ?1, sending = sending + ?1, changed_at = changed_at + ?1"  # noqa: S608
        f" WHERE state IN ({_OPEN}) AND changed_at <= ?2",
        (seconds, now - seconds),
    )
    transaction.execute(
        "UPDATE receipts SET verify_due = verify_due + ?1, delivered_at = delivered_at + ?1"
        " WHERE verify_due IS NOT NULL AND delivered_at <= ?2",
        (seconds, now - seconds),
    )
    transaction.execute(
        "UPDATE files SET due = due + ?1, written_at = written_at + ?1, uploaded_at = uploaded_at + ?1,"
        " consumed_at = consumed_at + ?1 WHERE state <> 'confirmed'",
        (seconds,),
    )
    transaction.execute(
        "UPDATE destination SET since = CASE WHEN since > 0 THEN since + ?1 ELSE 0 END,"
        " unreachable_since = unreachable_since + ?1, probe_due = probe_due + ?1, files_due = files_due + ?1",
        (seconds,),
    )
    events.record(transaction, now, "clock", "set", seconds=round(seconds, 3))

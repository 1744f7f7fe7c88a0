"""Stored wall times that decide about the future move with the wall clock when it is set."""

from __future__ import annotations

from tillpost.journal.database import Database, Transaction
from tillpost.journal.states import OPEN
from tillpost.journal.tables import events

_MOVED = {
    "documents": ("first_at", "last_at", "due"),
    "sources": ("since", "due"),
    "observers_behind": ("since", "due"),
    "steps_set_aside": ("since", "at", "due"),
    "tenants": ("since", "pending_since"),
    "file_server": ("since", "checked_at"),
    "tills": ("first_at", "last_at"),
    "notices": ("due",),
    "watching": ("at",),
}
"""Small tables: the columns that move in all their rows; 0 and NULL stand for no time."""
_OPEN = ", ".join(f"'{state}'" for state in OPEN)


def latest(database: Database) -> float:
    """The latest time of an open receipt, of the newest event and of the watch over it all; 0 when there is none."""
    newest = database.read("SELECT at FROM events ORDER BY seq DESC LIMIT 1")
    changed = database.read(f"SELECT max(changed_at) FROM receipts WHERE state IN ({_OPEN})")  # noqa: S608
    watched = database.read("SELECT at FROM watching")
    return max((float(row[0] or 0.0) for row in (*newest, *changed, *watched)), default=0.0)


def move_pending(transaction: Transaction, seconds: float, now: float) -> None:
    """Add `seconds` to the times of what is still open.

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
    for table, columns in _MOVED.items():
        moved = ", ".join(f"{each} = CASE WHEN {each} <> 0 THEN {each} + ?1 ELSE {each} END" for each in columns)
        open_ = " WHERE state IN ('reading', 'retry', 'set aside')" if table == "documents" else ""
        transaction.execute(f"UPDATE {table} SET {moved}{open_}", (seconds,))  # noqa: S608 - names of ours
    transaction.execute(
        "UPDATE alerts SET raised_at = raised_at + ?1, over_at = over_at + ?1 WHERE coalesce(over_at, raised_at) > ?2"
        " OR over_at IS NULL",
        (seconds, now),
    )
    events.record(transaction, now, "clock", "set", seconds=round(seconds, 3))

"""Retention: rows that have been settled for long enough are removed, in steps that take some milliseconds.

A pass reads every row that is old enough in the order of its key, without an index of its own, which would cost a write
at each delivery. Rows that must stay (held, or settled later) are read again in the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

import attrs

from tillpost.journal.database import List, Table, Transaction, first
from tillpost.journal.states import State
from tillpost.journal.tables import events, observers_behind, removed_rows
from tillpost.journal.tables.documents import OPEN_DOCUMENTS

STEP = 50
"""Most rows that a step removes; with their bodies, events and index entries some milliseconds of work."""
LOOK = 500
"""Rows that a step reads."""


class Kind(StrEnum):
    """The tables of a pass in their order: each refers to rows of those after it."""

    RECEIPTS = "receipts"
    FILES = "files"
    NO_RECEIPTS = "no_receipts"
    DOCUMENTS = "documents"
    CONTACTS = "contacts"
    EVENTS = "events"


@attrs.frozen
class RetentionCursor:
    """How far a pass is: the table, and the key of the last row that was read."""

    kind: Kind = Kind.RECEIPTS
    after: tuple[Any, ...] = ()


class Retention(Table):
    """Removes old rows and releases the space they took."""

    def step(self, place: RetentionCursor, before: float, now: float) -> RetentionCursor | None:
        """Remove some rows that were settled before then, in one commit; returns where to continue, None at the end."""

        def work(transaction: Transaction) -> tuple[Any, ...] | None:
            return _STEPS[place.kind](transaction, place.after, before, now)

        after = self._database.write(work)
        if after is not None:
            return RetentionCursor(place.kind, after)
        kinds = list(Kind)[list(Kind).index(place.kind) + 1 :]
        return RetentionCursor(kinds[0]) if kinds else None

    def release_space(self) -> bool:
        """Give some free space back to the disk; False when there is nothing to give."""
        return self._database.release_space()

    def count_removed(self) -> int:
        """The number of receipts that were removed."""
        rows = self._database.read("SELECT sum(last - first + 1) FROM removed WHERE of = ?", (removed_rows.RECEIPTS,))
        return int(rows[0][0] or 0)


_Step = Callable[[Transaction, tuple[Any, ...], float, float], tuple[Any, ...] | None]


def _receipts(transaction: Transaction, after: tuple[Any, ...], before: float, now: float) -> tuple[Any, ...] | None:
    # The newest row stays, because its seq would be used again.
    newest = first(transaction.execute("SELECT max(seq) FROM receipts"))
    seqs: list[int] = []
    last, old = None, False
    for seq, state, accepted_at, changed_at, verify_due in transaction.execute(
        "SELECT seq, state, accepted_at, changed_at, verify_due FROM receipts"
        " WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?",
        (after[0] if after else 0, newest, LOOK),
    ):
        last, old = seq, old or accepted_at < before
        if state in (State.DELIVERED, State.SKIPPED) and changed_at < before and verify_due is None:
            seqs.append(seq)
            if len(seqs) == STEP:
                break
    gone = [
        event for seq in seqs for (event,) in transaction.execute("SELECT seq FROM events WHERE receipt = ?", (seq,))
    ]
    _remove_events(transaction, gone, now)
    for table in ("bodies", "receipts"):
        transaction.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in seqs])  # noqa: S608 - ours
    removed_rows.record(transaction, removed_rows.RECEIPTS, seqs)
    # Rows are in the order of acceptance, unless the clock was set: a page without an old row is the end.
    return (last,) if old else None


def _files(transaction: Transaction, after: tuple[Any, ...], before: float, now: float) -> tuple[Any, ...] | None:
    rows = transaction.execute(
        "SELECT sequence, kind, position, name FROM files"
        " WHERE state = 'confirmed' AND (sequence, kind, position) > (?, ?, ?)"
        " ORDER BY sequence, kind, position LIMIT ?",
        (*(after or (-1, "", 0)), STEP // 5),
    ).fetchall()
    transaction.executemany(
        "DELETE FROM files WHERE name = ?1 AND confirmed_at < ?2"
        " AND NOT EXISTS (SELECT 1 FROM receipts WHERE file = ?1 AND file <> '')",
        [(name, before) for *_, name in rows],
    )
    return rows[-1][:3] if rows else None


def _no_receipts(transaction: Transaction, after: tuple[Any, ...], before: float, now: float) -> tuple[Any, ...] | None:
    rows = transaction.execute(
        "SELECT document, place, at FROM no_receipts WHERE (document, place) > (?, ?) ORDER BY document, place LIMIT ?",
        (*(after or ("", "")), LOOK),
    ).fetchall()
    transaction.executemany(
        "DELETE FROM no_receipts WHERE document = ? AND place = ?",
        [(document, place) for document, place, at in rows if at < before],
    )
    return rows[-1][:2] if rows else None


def _documents(transaction: Transaction, after: tuple[Any, ...], before: float, now: float) -> tuple[Any, ...] | None:
    rows = transaction.execute(
        "SELECT seq, state, first_at, last_at FROM documents WHERE seq > ? AND seq < (SELECT max(seq) FROM documents)"
        " ORDER BY seq LIMIT ?",
        (after[0] if after else 0, LOOK),
    ).fetchall()
    old = [(seq,) for seq, state, _, last_at in rows if state not in OPEN_DOCUMENTS and last_at < before]
    for table, column in (("document_rows", "document"), ("documents", "seq")):
        transaction.executemany(f"DELETE FROM {table} WHERE {column} = ?", old)  # noqa: S608 - ours
    return (rows[-1][0],) if any(first_at < before for _, _, first_at, _ in rows) else None


def _contacts(transaction: Transaction, after: tuple[Any, ...], before: float, now: float) -> tuple[Any, ...] | None:
    if transaction.execute("SELECT 1 FROM files WHERE state IN ('written', 'uploaded', 'consumed') LIMIT 1").fetchone():
        return None  # one of the files may name the contact
    rows = transaction.execute(
        "SELECT key, seen_at, conflict FROM contacts WHERE key > ? ORDER BY key LIMIT ?", (*(after or ("",)), STEP)
    ).fetchall()
    for key, seen_at, conflict in rows:
        if seen_at >= before or conflict:
            continue
        if transaction.execute("SELECT 1 FROM receipts WHERE contact = ? LIMIT 1", (key,)).fetchone():
            continue
        gone = [event for (event,) in transaction.execute("SELECT seq FROM events WHERE contact = ?", (key,))]
        _remove_events(transaction, gone, now)
        transaction.execute("DELETE FROM identifiers WHERE contact = ?", (key,))
        transaction.execute("DELETE FROM contacts WHERE key = ?", (key,))
    return rows[-1][:1] if rows else None


def _events(transaction: Transaction, after: tuple[Any, ...], before: float, now: float) -> tuple[Any, ...] | None:
    """Remove events of contacts, files and the destination; those of a receipt are removed with it."""
    rows = transaction.execute(
        "SELECT seq, receipt, at FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (*(after or (0,)), LOOK)
    ).fetchall()
    old = [row for row in rows if row[2] < before]
    _remove_events(transaction, [seq for seq, receipt, _ in old if receipt is None], now)
    return rows[-1][:1] if old else None


_STEPS: dict[Kind, _Step] = {
    Kind.RECEIPTS: _receipts,
    Kind.FILES: _files,
    Kind.NO_RECEIPTS: _no_receipts,
    Kind.DOCUMENTS: _documents,
    Kind.CONTACTS: _contacts,
    Kind.EVENTS: _events,
}


def _remove_events(transaction: Transaction, seqs: Iterable[int], now: float) -> None:
    listed = list(seqs)
    if not listed:
        return
    if max(listed) == first(transaction.execute("SELECT max(seq) FROM events")):
        # Its seq would be used again, and observers would take the next event for one they have seen.
        events.record(transaction, now, "retention", "removed")
    observers_behind.lose_removed(transaction, listed, now)
    transaction.execute("DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?))", (List(listed),))
    removed_rows.record(transaction, removed_rows.EVENTS, listed)

"""The table of receipts: accepted once, read when due, and moved by the allowed moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from tillpost.journal.database import ALL, List, Table, Transaction
from tillpost.journal.moves import IN_HAND, Move, apply_move, apply_moves
from tillpost.journal.states import OPEN, SETTLED, State
from tillpost.journal.tables import events
from tillpost.journal.tables.acceptance import Accepted, accept_records
from tillpost.journal.tables.documents import Reading, has_unread, record_group, record_rows
from tillpost.journal.tables.idempotency_keys import remember
from tillpost.journal.tables.new_rows import NewRows
from tillpost.journal.tables.receipt_rows import BY_STATE, COLUMNS, Entry, decode
from tillpost.journal.tables.sources import store_cursor
from tillpost.model import Customer, Document, IdentifierRules, Parsed

_OPEN = ", ".join(f"'{state}'" for state in OPEN)
_UNSETTLED = ", ".join(f"'{state}'" for state in State if state not in SETTLED)
_MOVES_ONLY = {
    "deliver": IN_HAND,
    "write": IN_HAND,
    "reconcile": frozenset({State.TRANSFERRED}),
}
"""Steps that move receipts as they have seen them a while before, and the states in which they still do.

A till may have voided or corrected one meanwhile, and a person had its file sent again.
"""
_BY_DUE = "receipts INDEXED BY receipts_due"
"""The open receipts by the time they are due; without the hint SQLite uses the index by state and sorts all of them."""


@attrs.frozen(kw_only=True)
class Group:
    """Records of one document that are committed together.

    counts: the result is added to it. last: they are the last of the document, so its answer is complete and is stored
    when the document has a key. reading: the row of the document, which the group is added to.
    """

    parsed: Sequence[Parsed]
    document: Document
    counts: Accepted
    last: bool = False
    reading: Reading | None = None


def _accept_group(
    transaction: Transaction,
    group: Group,
    anonymous: Customer | None,
    now: float,
    rules: IdentifierRules,
    ids_since: float | None = None,
    unread: bool = True,
) -> tuple[Accepted, int | None]:
    """What came of the records, and the row of their document. unread: see `record_group`."""
    rows = NewRows(transaction, now)
    before = rows.last
    fresh = accept_records(rows, group.parsed, group.document, anonymous, ids_since, rules)
    if group.last and group.document.key:
        remember(transaction, group.document, group.counts.plus(fresh), now)
    if group.reading is None:
        return fresh, None
    row = record_group(transaction, group.reading, group.parsed, fresh, group.last, now, unread)
    record_rows(transaction, row, before + 1, rows.last)
    if group.last and group.document.cursor is not None:
        store_cursor(transaction, group.reading.source, group.document.cursor, now)
    return fresh, row


class Receipts(Table):
    """The receipts table. rules: how identifiers are read."""

    rules = IdentifierRules()

    ids_since: float | None = None
    """When the settings that make ids were changed, in seconds since 1970; None: never in this journal."""

    def accept(
        self, parsed: Sequence[Parsed], document: Document, anonymous: Customer | None, now: float, counts: Accepted
    ) -> None:
        """Commit a group of records of one document; see `accept_groups`."""
        self.accept_groups([Group(parsed=parsed, document=document, counts=counts)], anonymous, now)

    def accept_groups(self, groups: Sequence[Group], anonymous: Customer | None, now: float) -> None:
        """Accept groups of records in one commit; they are durable and counted when this returns.

        A receipt that is in the journal is a duplicate. One with a known id and other content is held under an id of
        its own, with the difference as its reason: Engage would silently ignore it. When this raises, nothing was
        committed.
        """

        # The counts are added after the commit: it may fail, and then nothing counts.
        def work(transaction: Transaction) -> list[tuple[Accepted, int | None]]:
            unread = has_unread(transaction)
            return [
                _accept_group(transaction, group, anonymous, now, self.rules, self.ids_since, unread)
                for group in groups
            ]

        if groups:
            self._database.require_room()
            for group, (fresh, row) in zip(groups, self._database.write(work), strict=True):
                group.counts.add(fresh)
                if group.reading is not None:
                    group.reading.seq = row

    def just_accepted(self, since: float, now: float, limit: int) -> list[Entry]:
        """Receipts accepted since then that are due and have not been tried, the longest due first."""
        rows = self._database.read(
            f"SELECT {COLUMNS} FROM {_BY_DUE} WHERE due BETWEEN ?1 AND ?2 AND state IN ({_OPEN})"  # noqa: S608
            " AND attempts = 0 AND accepted_at >= ?1 ORDER BY due, seq LIMIT ?3",
            (since, now, limit),
        )
        return [decode(self._database, row) for row in rows]

    def due(self, now: float, limit: int) -> list[Entry]:
        """Open receipts that are due, the longest due first."""
        rows = self._database.read(
            f"SELECT {COLUMNS} FROM {_BY_DUE} WHERE due <= ? AND state IN ({_OPEN}) ORDER BY due, seq LIMIT ?",  # noqa: S608
            (now, limit),
        )
        return [decode(self._database, row) for row in rows]

    def next_due(self) -> float | None:
        """When the next open receipt is due; None when there is none."""
        row = self._database.read(f"SELECT min(due) FROM {_BY_DUE} WHERE state IN ({_OPEN})")  # noqa: S608
        return None if row[0][0] is None else float(row[0][0])

    def get(self, receipt_id: str) -> Entry | None:
        """By its id."""
        rows = self._database.read(f"SELECT {COLUMNS} FROM receipts WHERE id = ?", (receipt_id,))  # noqa: S608
        return decode(self._database, rows[0]) if rows else None

    def find(self, where: dict[str, str], limit: int = ALL) -> list[Entry]:
        """The receipts with these values in these columns (number, store, state, …), in order of acceptance."""
        clause = " AND ".join(f"{name} = ?" for name in where) or "TRUE"
        if where.get("file"):
            clause += " AND file <> ''"  # the index by file has only receipts with one
        rows = self._database.read(
            f"SELECT {COLUMNS} FROM receipts WHERE {clause} ORDER BY seq LIMIT ?",  # noqa: S608 - names are ours
            (*where.values(), limit),
        )
        return [decode(self._database, row) for row in rows]

    def refresh(self, seqs: Iterable[int]) -> list[Entry]:
        """The current state of these rows, without those that are no longer open."""
        # Without the hint SQLite reads every open receipt by the index by state.
        rows = self._database.read(
            f"SELECT {COLUMNS} FROM receipts NOT INDEXED"  # noqa: S608 - ours
            f" WHERE seq IN (SELECT value FROM json_each(?)) AND state IN ({_OPEN})",
            (List(seqs),),
        )
        return [decode(self._database, row) for row in rows]

    def open_after(self, seq: int, attempts: int, limit: int) -> list[Entry]:
        """Open receipts after `seq` with at least so many attempts, in order of acceptance."""
        # One query for each state, in the order of its index: a query for all states would sort every open receipt.
        queries = " UNION ALL ".join(
            f"SELECT {COLUMNS} FROM {BY_STATE} WHERE state = '{state}' AND route = '' AND seq > ?1 AND attempts >= ?2"  # noqa: S608 - ours
            for state in OPEN
        )
        rows = self._database.read(f"{queries} ORDER BY seq LIMIT ?3", (seq, attempts, limit))
        return [decode(self._database, row) for row in rows]

    def count_unsettled(self) -> int:
        """The number of receipts that are not delivered, held or skipped, from the counters; see `all_settled`."""
        rows = self._database.read(f"SELECT sum(count) FROM counters WHERE state IN ({_UNSETTLED})")  # noqa: S608 - ours
        return max(0, int(rows[0][0] or 0))

    def all_settled(self) -> bool:
        """Whether every receipt is delivered, held or skipped."""
        return not self._database.read(f"SELECT 1 FROM {BY_STATE} WHERE state IN ({_UNSETTLED}) LIMIT 1")  # noqa: S608

    def mark_sending(self, seq: int, now: float) -> bool:
        """Record that a receipt is about to be sent, once that is durable; False when it may not be sent any more."""
        return bool(self.advance((), [seq], (), now))

    def advance(
        self, moves: Iterable[tuple[int, Move]], sending: Sequence[int], unsent: Sequence[int], now: float
    ) -> frozenset[int]:
        """Record the results of calls and the start of the next ones, in one commit; the rows that may be sent.

        moves: as for `settle`. sending: rows that are about to be sent; one that its till has voided or corrected
        meanwhile is omitted. unsent: rows that were marked as sending and were not sent, because calls may not be made
        now; they keep their due time and attempts.
        """
        listed = list(moves)

        def work(transaction: Transaction) -> frozenset[int]:
            _settle(transaction, listed, now, "deliver")
            if unsent:
                transaction.executemany(
                    "UPDATE receipts SET sending = NULL, changed_at = ? WHERE seq = ?", ((now, seq) for seq in unsent)
                )
                events.record_all(transaction, now, "deliver", "not sent", receipts=unsent)
            if not sending:
                return frozenset()
            marked = transaction.executemany(
                "UPDATE receipts SET sending = ?1, state = 'resolved', changed_at = ?1"  # noqa: S608 - ours
                f" WHERE seq = ?2 AND state IN ({_OPEN}) RETURNING seq",
                ((now, seq) for seq in sending),
            )
            started = [int(seq) for (seq,) in marked]
            events.record_all(transaction, now, "deliver", "sending", receipts=started)
            return frozenset(started)

        return self._database.write(work)

    def settle(self, moves: Iterable[tuple[int, Move]], now: float, step: str) -> None:
        """Make the moves in one commit, with their events. Raises JournalError for a move that is not allowed."""
        listed = list(moves)
        self._database.write(lambda transaction: _settle(transaction, listed, now, step))

    def count_crashes(self, moves: Iterable[tuple[int, Move]], now: float) -> None:
        """Make the moves of receipts on which the process worked when it ended, and count the crash."""
        listed = list(moves)

        def work(transaction: Transaction) -> None:
            for seq, move in listed:
                apply_move(transaction, seq, move, now, "recover")
                transaction.execute("UPDATE receipts SET crashes = crashes + 1 WHERE seq = ?", (seq,))

        self._database.write(work)

    def forget_crashes(self, seq: int) -> None:
        """The receipt has turned out not to be the cause."""
        self._database.write(
            lambda transaction: transaction.execute("UPDATE receipts SET crashes = 0 WHERE seq = ?", (seq,))
        )

    def suspect(self, seqs: Sequence[int], crashes: int) -> None:
        """These receipts end the process: they count as in hand at so many crashes."""
        values = [(crashes, seq) for seq in seqs]
        self._database.write(
            lambda transaction: transaction.executemany("UPDATE receipts SET crashes = ? WHERE seq = ?", values)
        )

    def recover(self, now: float, confirm_after: float) -> int:
        """After a crash: receipts that were being sent become uncertain, with one attempt more; returns how many."""

        def work(transaction: Transaction) -> int:
            # `sending` is set together with this state; without the state every row would be read.
            rows = transaction.execute(
                f"SELECT seq, attempts, sending FROM {BY_STATE} WHERE state = 'resolved' AND sending IS NOT NULL"  # noqa: S608 - ours
            ).fetchall()
            for seq, attempts, sending in rows:
                due = min(sending, now) + confirm_after
                move = Move(
                    state=State.UNCERTAIN, due=due, attempts=attempts + 1, reason="the process ended while sending it"
                )
                apply_move(transaction, seq, move, now, "deliver")
            return len(rows)

        return self._database.write(work)

    def counts(self) -> dict[str, int]:
        """The number of receipts in each state."""
        found = dict(self._database.read("SELECT state, sum(count) FROM counters GROUP BY state"))
        return {state: max(0, int(found.get(state, 0))) for state in State}

    def routes(self) -> dict[str, int]:
        """The number of receipts delivered by each route."""
        rows = self._database.read("SELECT route, count FROM counters WHERE state = 'delivered'")
        return {"api": 0, "file": 0} | {str(route): int(count) for route, count in rows if count > 0}

    def skipped(self) -> dict[str, int]:
        """Sales that are not sent, by reason: receipts in this state, and records voided at the till."""
        return self._reasons("'skipped', 'skipped record'")

    def ignored(self) -> dict[str, int]:
        """Records that are not a sale, by reason."""
        return self._reasons("'ignored record'")

    def _reasons(self, states: str) -> dict[str, int]:
        rows = self._database.read(
            f"SELECT reason, sum(count) FROM counters WHERE state IN ({states}) GROUP BY reason"  # noqa: S608 - ours
            " HAVING sum(count) > 0 ORDER BY reason"
        )
        return {str(reason): int(count) for reason, count in rows}


def _settle(transaction: Transaction, moves: Iterable[tuple[int, Move]], now: float, step: str) -> None:
    """Make the moves; equal ones together. What has changed while it was in hand stays (_MOVES_ONLY)."""
    alike: dict[Move, list[int]] = {}
    for seq, move in moves:
        alike.setdefault(move, []).append(seq)
    for move, seqs in alike.items():
        apply_moves(transaction, seqs, move, now, step, among=_MOVES_ONLY.get(step))

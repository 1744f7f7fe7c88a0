"""The receipts of a journal: accepted once, claimed when due, settled by one of the allowed moves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Any

import attrs

from tillpost.errors import InvalidValue, JournalDamaged, JournalError
from tillpost.journal.database import ALL, Database, List, Transaction
from tillpost.journal.moves import Move, apply_move, apply_moves
from tillpost.journal.states import OPEN, SETTLED, State
from tillpost.journal.tables import events
from tillpost.journal.tables.acceptance import Accepted, accept_records, restore
from tillpost.journal.tables.idempotency_keys import remember
from tillpost.model import Broken, Customer, Document, Found, NoReceipt, Parsed, Receipt
from tillpost.model.receipt_json import loads

_OPEN = ", ".join(f"'{state}'" for state in OPEN)
_STATES = frozenset(str(state) for state in State)
_COLUMNS = (
    "seq, id, number, store, till, created, currency, total, line_count, state, due, attempts, crashes, sending,"
    " reason, route, contact, file, matched, document, place, accepted_at, delivered_at"
)
_UNSETTLED = ", ".join(f"'{state}'" for state in State if state not in SETTLED)
_BY_STATE = "receipts INDEXED BY receipts_state"
_BY_DUE = "receipts INDEXED BY receipts_due"
"""The open receipts; left to itself SQLite takes the index by state and sorts them all, at each claim."""
_PAGE = 1000
"""Rows of a listing that are read at a time."""
_NAMES = tuple(_COLUMNS.replace(" ", "").split(","))

_KINDS: dict[str, Any] = {
    **dict.fromkeys(
        ("id", "number", "store", "till", "total", "currency", "state", "reason", "route", "file", "matched"), str
    ),
    **dict.fromkeys(("due", "accepted_at", "attempts", "crashes", "line_count"), (int, float)),
    **dict.fromkeys(("sending", "delivered_at"), (int, float, type(None))),
    "contact": (str, type(None)),
}
"""What a column of a whole row holds; SQLite itself would take anything."""
_SOUND: set[tuple[type, ...]] = set()
"""The kinds of whole rows that were found to make sense: there are few, and rows are read all the time."""

Stored = tuple[Any, Any]
"""A body and its checksum, neither verified."""


@attrs.frozen(kw_only=True)
class Group:
    """Records of one document that are committed together.

    counts: takes what came of them. last: nothing of the document comes after them, so its answer is known and, when
    it has a key, remembered.
    """

    parsed: Sequence[Parsed]
    document: Document
    counts: Accepted
    last: bool = False


@attrs.frozen(kw_only=True)
class Entry:
    """A receipt's row: where it stands. The receipt itself is read with `Receipts.body`."""

    seq: int
    id: str
    number: str
    store: str
    till: str
    created: str
    currency: str
    total: str
    line_count: int
    state: State = attrs.field(converter=State)
    due: float
    attempts: int
    crashes: int
    """How often the process ended while it had the receipt in hand."""
    sending: float | None
    reason: str
    route: str
    contact: str | None
    file: str
    matched: str
    document: str
    place: str
    accepted_at: float
    delivered_at: float | None


def _take(transaction: Transaction, group: Group, anonymous: Customer | None, now: float) -> Accepted:
    fresh = accept_records(transaction, group.parsed, group.document, anonymous, now)
    if group.last and group.document.key:
        remember(transaction, group.document, group.counts.plus(fresh), now)
    return fresh


class Receipts:
    """The receipts table with its bodies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(
        self, parsed: Sequence[Parsed], document: Document, anonymous: Customer | None, now: float, counts: Accepted
    ) -> None:
        """Commit a group of records of one document; see `accept_groups`."""
        self.accept_groups([Group(parsed=parsed, document=document, counts=counts)], anonymous, now)

    def accept_groups(self, groups: Sequence[Group], anonymous: Customer | None, now: float) -> None:
        """Commit groups of records in one commit; when this returns they are on the disk, and counted.

        The same receipt again changes nothing. The same id with other content is held, with the difference,
        under an id of its own: Engage would ignore the second without a word. When it raises nothing was committed.
        """

        # Counted on the side: all may be rolled back and the caller must then see nothing of it.
        def work(transaction: Transaction) -> list[Accepted]:
            return [_take(transaction, group, anonymous, now) for group in groups]

        if groups:
            for group, fresh in zip(groups, self._database.write(work), strict=True):
                group.counts.add(fresh)

    def just_accepted(self, since: float, now: float, limit: int) -> list[Entry]:
        """Receipts accepted since then that are due and have burnt no attempt, the longest due first."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM {_BY_DUE} WHERE due BETWEEN ?1 AND ?2 AND state IN ({_OPEN})"  # noqa: S608
            " AND attempts = 0 AND accepted_at >= ?1 ORDER BY due, seq LIMIT ?3",
            (since, now, limit),
        )
        return [self._entry(row) for row in rows]

    def due(self, now: float, limit: int) -> list[Entry]:
        """Receipts with something to do now, the longest due first."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM {_BY_DUE} WHERE due <= ? AND state IN ({_OPEN}) ORDER BY due, seq LIMIT ?",  # noqa: S608
            (now, limit),
        )
        return [self._entry(row) for row in rows]

    def next_due(self) -> float | None:
        """When the next open receipt is due; None when there is none."""
        row = self._database.read(f"SELECT min(due) FROM {_BY_DUE} WHERE state IN ({_OPEN})")  # noqa: S608
        return None if row[0][0] is None else float(row[0][0])

    def get(self, receipt_id: str) -> Entry | None:
        """By its id."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM receipts WHERE id = ?", (receipt_id,))  # noqa: S608
        return self._entry(rows[0]) if rows else None

    def find(self, where: dict[str, str], limit: int = ALL) -> list[Entry]:
        """By columns: number, store, state, file, contact…, in order of acceptance."""
        clause = " AND ".join(f"{name} = ?" for name in where) or "TRUE"
        if where.get("file"):
            clause += " AND file <> ''"  # the index by file is of receipts that have one
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM receipts WHERE {clause} ORDER BY seq LIMIT ?",  # noqa: S608 - names are ours
            (*where.values(), limit),
        )
        return [self._entry(row) for row in rows]

    def listed(self, state: str = "", store: str = "", limit: int = ALL) -> Iterator[Entry]:
        """All of them, those in a state, those of a store, in order of acceptance; however many, few are in memory."""
        page = min(limit, _PAGE)
        if state:
            clause = "state = ? AND route = ?"
            streams = [self._pages(_BY_STATE, clause, (state, route), store, page) for route in self._routes_of(state)]
        else:
            streams = [self._pages("receipts NOT INDEXED", "TRUE", (), store, page)]
        return islice(merge(*streams, key=lambda entry: entry.seq), limit)

    def _routes_of(self, state: str) -> list[str]:
        """The routes of those in a state, by one look-up each: there may be millions."""
        found: list[str] = []
        sql = f"SELECT route FROM {_BY_STATE} WHERE state = ? AND route >= ? ORDER BY route LIMIT 1"  # noqa: S608 - ours
        while rows := self._database.read(sql, (state, f"{found[-1]}\x01" if found else "")):
            found.append(str(rows[0][0]))
        return found

    def _pages(self, source: str, clause: str, values: tuple[str, ...], store: str, page: int) -> Iterator[Entry]:
        seq = 0
        sql = f"SELECT {_COLUMNS} FROM {source} WHERE {clause} AND ? IN ('', store) AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - ours
        while rows := self._database.read(sql, (*values, store, seq, page)):
            yield from map(self._entry, rows)
            seq = rows[-1][0]

    def stored(self, seqs: Iterable[int]) -> dict[int, Stored]:
        """The bodies of several rows as they are stored, to be given to `body` one by one."""
        rows = self._database.read(
            "SELECT seq, body, checksum FROM bodies WHERE seq IN (SELECT value FROM json_each(?))",
            (List(seqs),),
        )
        return {seq: (body, checksum) for seq, body, checksum in rows}

    def body(self, seq: int, stored: Mapping[int, Stored] | None = None) -> Receipt:
        """The receipt, its checksum verified. Raises InvalidValue when the row is damaged or holds none.

        stored: rows read before, with this one among them if it is there at all.
        """
        body, checksum = (self.stored([seq]) if stored is None else stored).get(seq, (None, None))
        if body is None:
            raise InvalidValue(
                "holds no receipt: it could not be read when it was accepted, or was damaged since",
                place=f"journal row {seq}",
            )
        if not isinstance(body, bytes) or hashlib.sha256(body).digest() != checksum:
            raise InvalidValue(
                "the receipt does not match its checksum, the row is damaged;"
                " `tillpost held retry` reads the receipt again from its record",
                place=f"journal row {seq}",
            )
        return loads(body)

    def readable(self, seq: int, stored: Mapping[int, Stored] | None = None) -> bool:
        """Whether the row has its body, unharmed. stored: as for `body`."""
        try:
            self.body(seq, stored)
        except (InvalidValue, JournalDamaged):
            return False
        return True

    def raw(self, seq: int) -> bytes:
        """The record as the till wrote it."""
        rows = self._database.read("SELECT raw FROM bodies WHERE seq = ?", (seq,))
        return bytes(rows[0][0]) if rows and isinstance(rows[0][0], bytes) else b""

    def refresh(self, seqs: Iterable[int]) -> list[Entry]:
        """These rows as they stand now, those that are still open only."""
        listed = ",".join(str(int(seq)) for seq in seqs)
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM receipts WHERE seq IN ({listed}) AND state IN ({_OPEN})"  # noqa: S608 - integers
        )
        return [self._entry(row) for row in rows]

    def open_after(self, seq: int, attempts: int, limit: int) -> list[Entry]:
        """Open receipts behind `seq` with at least so many attempts burnt, in order of acceptance."""
        # Each state in the order of its index, merged: by due, or together, all that wait would be sorted each time.
        each = " UNION ALL ".join(
            f"SELECT {_COLUMNS} FROM {_BY_STATE} WHERE state = '{state}' AND route = '' AND seq > ?1 AND attempts >= ?2"  # noqa: S608 - ours
            for state in OPEN
        )
        rows = self._database.read(f"{each} ORDER BY seq LIMIT ?3", (seq, attempts, limit))
        return [self._entry(row) for row in rows]

    def unsettled(self) -> int:
        """How many receipts are neither delivered, held nor skipped; for show (tally), see `all_settled`."""
        rows = self._database.read(f"SELECT sum(count) FROM counters WHERE state IN ({_UNSETTLED})")  # noqa: S608 - ours
        return max(0, int(rows[0][0] or 0))

    def all_settled(self) -> bool:
        """Whether every receipt is delivered, held or skipped."""
        return not self._database.read(f"SELECT 1 FROM {_BY_STATE} WHERE state IN ({_UNSETTLED}) LIMIT 1")  # noqa: S608

    def intend(self, seq: int, now: float) -> None:
        """Write down, before the call, that the receipt is about to be sent."""
        self.advance((), [seq], (), now)

    def advance(
        self, moves: Iterable[tuple[int, Move]], sending: Sequence[int], unsent: Sequence[int], now: float
    ) -> None:
        """In one commit, what came of calls and which come next.

        moves: as `settle` makes them. sending: these are about to be sent. unsent: these were to be sent and were not,
        for calls are not to be made now; they keep their place and their attempts.
        """
        listed = list(moves)

        def work(transaction: Transaction) -> None:
            _settle(transaction, listed, now, "deliver")
            if unsent:
                transaction.executemany(
                    "UPDATE receipts SET sending = NULL, changed_at = ? WHERE seq = ?", ((now, seq) for seq in unsent)
                )
                events.record_all(transaction, now, "deliver", "not sent", receipts=unsent)
            if sending:
                transaction.executemany(
                    "UPDATE receipts SET sending = ?1, state = 'resolved', changed_at = ?1 WHERE seq = ?2",
                    ((now, seq) for seq in sending),
                )
                events.record_all(transaction, now, "deliver", "sending", receipts=sending)

        self._database.write(work)

    def settle(self, moves: Iterable[tuple[int, Move]], now: float, step: str) -> None:
        """Make the moves in one commit, each with its event. Raises JournalError for a move not allowed."""
        listed = list(moves)
        self._database.write(lambda transaction: _settle(transaction, listed, now, step))

    def crashed(self, moves: Iterable[tuple[int, Move]], now: float) -> None:
        """The process ended while it had these in hand: make the moves, and count."""
        listed = list(moves)

        def work(transaction: Transaction) -> None:
            for seq, move in listed:
                apply_move(transaction, seq, move, now, "recover")
                transaction.execute("UPDATE receipts SET crashes = crashes + 1 WHERE seq = ?", (seq,))

        self._database.write(work)

    def recover(self, now: float, confirm_after: float) -> int:
        """After a crash: what was being sent is uncertain, and the crash counts as its attempt. How many there were."""

        def work(transaction: Transaction) -> int:
            # Only `intend` sets `sending`, and the state with it; without the state every row would be looked at.
            rows = list(
                transaction.execute(
                    f"SELECT seq, attempts, sending FROM {_BY_STATE}"  # noqa: S608 - ours
                    " WHERE state = 'resolved' AND sending IS NOT NULL"
                )
            )
            for seq, attempts, sending in rows:
                due = min(sending, now) + confirm_after
                move = Move(
                    state=State.UNCERTAIN, due=due, attempts=attempts + 1, reason="the process ended while sending it"
                )
                apply_move(transaction, seq, move, now, "deliver")
            return len(rows)

        return self._database.write(work)

    def revive(self, receipt_id: str, parsed: Parsed | None, now: float) -> None:
        """A person retries a held receipt; `parsed`: its record read anew, when it was not readable or is damaged."""

        def work(transaction: Transaction) -> None:
            row = transaction.execute("SELECT seq, state, contact FROM receipts WHERE id = ?", (receipt_id,)).fetchone()
            if row is None or row[1] != State.HELD:
                raise JournalError(f"{receipt_id} is not held")
            if isinstance(parsed, Broken):
                raise InvalidValue(parsed.reason)
            if isinstance(parsed, Found) and parsed.receipt.id == receipt_id:
                restore(transaction, row[0], parsed, now)
                return
            if parsed is None and row[2] is None:
                raise JournalError(
                    f"{receipt_id} cannot be sent: its id belongs to other content; discard it, or change `receipt_id`"
                    " in the configuration so that the two differ, and accept its file again"
                )
            if parsed is None:
                apply_move(transaction, row[0], Move(state=State.ACCEPTED, due=now, reason="retried"), now, "held")
                transaction.execute("UPDATE receipts SET crashes = 0 WHERE seq = ?", (row[0],))
            else:
                reason = parsed.reason if isinstance(parsed, NoReceipt) else "read anew"
                apply_move(transaction, row[0], Move(state=State.SKIPPED, reason=reason), now, "held")

        self._database.write(work)

    def counts(self) -> dict[str, int]:
        """How many receipts stand in each state."""
        found = dict(self._database.read("SELECT state, sum(count) FROM counters GROUP BY state"))
        return {state: max(0, int(found.get(state, 0))) for state in State}

    def routes(self) -> dict[str, int]:
        """How many were delivered by each route."""
        rows = self._database.read("SELECT route, count FROM counters WHERE state = 'delivered'")
        return {"api": 0, "file": 0} | {str(route): int(count) for route, count in rows if count > 0}

    def skipped(self) -> dict[str, int]:
        """Sales that are not sent, by reason: receipts in this state, and records voided at the till."""
        return self._reasons("'skipped', 'skipped record'")

    def ignored(self) -> dict[str, int]:
        """Records that are no sale, by reason."""
        return self._reasons("'ignored record'")

    def _reasons(self, states: str) -> dict[str, int]:
        rows = self._database.read(
            f"SELECT reason, sum(count) FROM counters WHERE state IN ({states}) GROUP BY reason"  # noqa: S608 - ours
            " HAVING sum(count) > 0"
        )
        return {str(reason): int(count) for reason, count in rows}

    def life(self, seq: int) -> list[dict[str, Any]]:
        """The events of a receipt, oldest first."""
        rows = self._database.read(
            "SELECT seq, at, step, what, detail FROM events WHERE receipt = ? ORDER BY seq", (seq,)
        )
        names = ("seq", "at", "step", "what", "detail")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        values = dict(zip(_NAMES, row, strict=True))
        kinds = tuple(map(type, row))
        wrong = [] if kinds in _SOUND else [n for n, known in _KINDS.items() if not isinstance(values[n], known)]
        if wrong or values["state"] not in _STATES:
            named = ", ".join(wrong) or "state"
            raise self._database.damaged(f"table receipts, row {row[0]}: {named} makes no sense")
        _SOUND.add(kinds)
        return Entry(**values)


def _settle(transaction: Transaction, moves: Iterable[tuple[int, Move]], now: float, step: str) -> None:
    """The moves, those that are alike in one go."""
    alike: dict[Move, list[int]] = {}
    for seq, move in moves:
        alike.setdefault(move, []).append(seq)
    for move, seqs in alike.items():
        apply_moves(transaction, seqs, move, now, step)

"""The receipts of a journal: accepted once, claimed when due, settled by one of the allowed moves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import attrs

from tillpost.errors import JournalError, LawBroken
from tillpost.journal import contacts, events
from tillpost.journal.states import OPEN, State, check_move
from tillpost.journal.store import Store
from tillpost.model import Broken, Customer, Document, Found, NoReceipt, Parsed, Receipt
from tillpost.model.receipt_json import content_digest, difference, dumps, loads

_OPEN = ", ".join(f"'{state}'" for state in OPEN)
_COLUMNS = (
    "seq, id, number, store, till, created, currency, total, line_count, state, due, attempts, sending, reason,"
    " route, contact, file, document, place, accepted_at, delivered_at"
)


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
    sending: float | None
    reason: str
    route: str
    contact: str | None
    file: str
    document: str
    place: str
    accepted_at: float
    delivered_at: float | None


@attrs.frozen(kw_only=True)
class Move:
    """What becomes of a receipt: its next state, when it is due again, and what is remembered about it."""

    state: State
    due: float = 0.0
    attempts: int = 0
    reason: str = ""
    route: str = ""
    file: str = ""


@attrs.define(kw_only=True)
class Accepted:
    """What came of a document, counted. `reasons` counts what was skipped or held, by reason."""

    accepted: int = 0
    duplicates: int = 0
    skipped: int = 0
    not_receipts: int = 0
    held: int = 0
    reasons: dict[str, int] = attrs.field(factory=dict)

    def because(self, reason: str) -> None:
        """Count a reason."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Receipts:
    """The receipts table with its bodies."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def accept(
        self, parsed: Sequence[Parsed], document: Document, anonymous: Customer | None, now: float, counts: Accepted
    ) -> None:
        """Commit a group of records of one document; when this returns they are on the disk.

        The same receipt again changes nothing. The same id with other content is held, with the difference,
        under an id of its own: Engage would ignore the second without a word.
        """
        # Counted on the side: the group may be rolled back and the caller must then see nothing of it.
        fresh = self._store.write(lambda connection: _accept(connection, parsed, document, anonymous, now))
        for name in ("accepted", "duplicates", "skipped", "not_receipts", "held"):
            setattr(counts, name, getattr(counts, name) + getattr(fresh, name))
        for reason, count in fresh.reasons.items():
            counts.reasons[reason] = counts.reasons.get(reason, 0) + count

    def due(self, now: float, limit: int) -> list[Entry]:
        """Receipts with something to do now, the longest due first."""
        rows = self._store.read(
            f"SELECT {_COLUMNS} FROM receipts WHERE due <= ? AND state IN ({_OPEN}) ORDER BY due, seq LIMIT ?",  # noqa: S608
            (now, limit),
        )
        return [_entry(row) for row in rows]

    def next_due(self) -> float | None:
        """When the next open receipt is due; None when there is none."""
        row = self._store.read(f"SELECT min(due) FROM receipts WHERE state IN ({_OPEN})")  # noqa: S608
        return None if row[0][0] is None else float(row[0][0])

    def get(self, receipt_id: str) -> Entry | None:
        """By its id."""
        rows = self._store.read(f"SELECT {_COLUMNS} FROM receipts WHERE id = ?", (receipt_id,))  # noqa: S608
        return _entry(rows[0]) if rows else None

    def find(self, where: dict[str, str], limit: int = -1) -> list[Entry]:
        """By columns: number, store, state, file, contact…, in order of acceptance."""
        clause = " AND ".join(f"{name} = ?" for name in where) or "1"
        rows = self._store.read(
            f"SELECT {_COLUMNS} FROM receipts WHERE {clause} ORDER BY seq LIMIT ?",  # noqa: S608 - names are ours
            (*where.values(), limit),
        )
        return [_entry(row) for row in rows]

    def body(self, seq: int) -> Receipt:
        """The receipt, its checksum verified. Raises LawBroken when the row is damaged or holds none."""
        rows = self._store.read("SELECT body, checksum FROM bodies WHERE seq = ?", (seq,))
        if not rows or rows[0][0] is None:
            raise LawBroken("a receipt has a body", f"journal row {seq}", "none: it could not be read when accepted")
        body, checksum = rows[0]
        if not isinstance(body, bytes) or hashlib.sha256(body).digest() != checksum:
            raise LawBroken("the checksum fits the body", f"journal row {seq}", "the row is damaged")
        return loads(body)

    def raw(self, seq: int) -> bytes:
        """The record as the till wrote it."""
        rows = self._store.read("SELECT raw FROM bodies WHERE seq = ?", (seq,))
        return bytes(rows[0][0]) if rows else b""

    def refresh(self, seqs: Iterable[int]) -> list[Entry]:
        """These rows as they stand now, those that are still open only."""
        listed = ",".join(str(int(seq)) for seq in seqs)
        rows = self._store.read(
            f"SELECT {_COLUMNS} FROM receipts WHERE seq IN ({listed}) AND state IN ({_OPEN})"  # noqa: S608 - integers
        )
        return [_entry(row) for row in rows]

    def open_after(self, seq: int, attempts: int, limit: int) -> list[Entry]:
        """Open receipts behind `seq` with at least so many attempts burnt, in order of acceptance."""
        rows = self._store.read(
            f"SELECT {_COLUMNS} FROM receipts WHERE state IN ({_OPEN}) AND seq > ? AND attempts >= ?"  # noqa: S608
            " ORDER BY seq LIMIT ?",
            (seq, attempts, limit),
        )
        return [_entry(row) for row in rows]

    def unsettled(self) -> int:
        """How many receipts are neither delivered, held nor skipped."""
        rows = self._store.read("SELECT count(*) FROM receipts WHERE state NOT IN ('delivered', 'held', 'skipped')")
        return int(rows[0][0])

    def intend(self, seq: int, now: float) -> None:
        """Write down, before the call, that the receipt is about to be sent."""

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE receipts SET sending = ?, state = 'resolved', changed_at = ? WHERE seq = ?", (now, now, seq)
            )
            events.record(connection, now, "deliver", "sending", receipt=seq)

        self._store.write(work)

    def settle(self, moves: Iterable[tuple[int, Move]], now: float, step: str) -> None:
        """Make the moves in one commit, each with its event. Raises JournalError for a move not allowed."""
        listed = list(moves)

        def work(connection: apsw.Connection) -> None:
            for seq, move in listed:
                apply_move(connection, seq, move, now, step)

        self._store.write(work)

    def recover(self, now: float, confirm_after: float) -> int:
        """After a crash: what was being sent is uncertain, and the crash counts as its attempt. How many there were."""

        def work(connection: apsw.Connection) -> int:
            rows = list(connection.execute("SELECT seq, attempts, sending FROM receipts WHERE sending IS NOT NULL"))
            for seq, attempts, sending in rows:
                due = min(sending, now) + confirm_after
                move = Move(
                    state=State.UNCERTAIN, due=due, attempts=attempts + 1, reason="the process ended while sending it"
                )
                apply_move(connection, seq, move, now, "deliver")
            return len(rows)

        return self._store.write(work)

    def revive(self, receipt_id: str, parsed: Parsed | None, now: float) -> None:
        """A person retries a held receipt: `parsed` is its record read anew when it had not been readable."""

        def work(connection: apsw.Connection) -> None:
            row = connection.execute("SELECT seq, state FROM receipts WHERE id = ?", (receipt_id,)).fetchone()
            if row is None or row[1] != State.HELD:
                raise JournalError(f"{receipt_id} is not held")
            if isinstance(parsed, Broken):
                raise LawBroken("the record can be read", parsed.place, parsed.reason)
            if parsed is None:
                apply_move(connection, row[0], Move(state=State.ACCEPTED, due=now, reason="retried"), now, "held")
            else:
                reason = parsed.reason if isinstance(parsed, NoReceipt) else "read anew"
                apply_move(connection, row[0], Move(state=State.SKIPPED, reason=reason), now, "held")

        self._store.write(work)

    def counts(self) -> dict[str, int]:
        """How many receipts stand in each state."""
        found = dict(self._store.read("SELECT state, count(*) FROM receipts GROUP BY state"))
        return {state: int(found.get(state, 0)) for state in State}

    def routes(self) -> dict[str, int]:
        """How many were delivered by each route."""
        rows = self._store.read("SELECT route, count(*) FROM receipts WHERE state = 'delivered' GROUP BY route")
        return {"api": 0, "file": 0} | {str(route): int(count) for route, count in rows}

    def skipped(self) -> dict[str, int]:
        """Why records were not sent, counted: receipts skipped, and records that are no sales."""
        rows = self._store.read(
            "SELECT reason, count(*) FROM receipts WHERE state = 'skipped' GROUP BY reason"
            " UNION ALL SELECT reason, count(*) FROM no_receipts GROUP BY reason"
        )
        return {str(reason): int(count) for reason, count in rows}

    def life(self, seq: int) -> list[dict[str, Any]]:
        """The events of a receipt, oldest first."""
        rows = self._store.read("SELECT seq, at, step, what, detail FROM events WHERE receipt = ? ORDER BY seq", (seq,))
        names = ("seq", "at", "step", "what", "detail")
        return [dict(zip(names, row, strict=True)) for row in rows]


def apply_move(connection: apsw.Connection, seq: int, move: Move, now: float, step: str) -> None:
    """One move of one receipt inside a transaction: the row, and the event that tells of it."""
    row = connection.execute("SELECT state FROM receipts WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        raise JournalError(f"the journal has no row {seq}")
    check_move(row[0], move.state)
    connection.execute(
        "UPDATE receipts SET state = ?1, due = ?2, attempts = ?3, reason = ?4, sending = NULL, changed_at = ?5,"
        " route = CASE WHEN ?1 = 'delivered' THEN ?6 ELSE route END,"
        " file = CASE WHEN ?7 <> '' THEN ?7 ELSE file END,"
        " delivered_at = CASE WHEN ?1 = 'delivered' THEN ?5 ELSE delivered_at END WHERE seq = ?8",
        (move.state, move.due, move.attempts, move.reason, now, move.route, move.file, seq),
    )
    told = {name: value for name in ("reason", "route", "file") if (value := getattr(move, name))}
    if move.due > now:
        told["due"] = move.due
    events.record(connection, now, step, move.state, receipt=seq, **told)


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(**dict(zip((name.strip() for name in _COLUMNS.split(",")), row, strict=True)))


def _accept(
    connection: apsw.Connection,
    parsed: Sequence[Parsed],
    document: Document,
    anonymous: Customer | None,
    now: float,
) -> Accepted:
    counts = Accepted()
    for record in parsed:
        if isinstance(record, NoReceipt):
            _note_no_receipt(connection, record, document, now, counts)
        elif isinstance(record, Broken):
            _hold_broken(connection, record, document, now, counts)
        else:
            _accept_one(connection, record, anonymous, now, counts)
    return counts


def _note_no_receipt(
    connection: apsw.Connection, record: NoReceipt, document: Document, now: float, counts: Accepted
) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO no_receipts VALUES (?,?,?,?,?,?)",
        (document.sha256, record.place, record.reason, record.retail, record.number, now),
    )
    if record.retail:
        counts.skipped += 1
    else:
        counts.not_receipts += 1
    counts.because(record.reason)


def _insert(connection: apsw.Connection, values: dict[str, Any], body: bytes | None, raw: bytes) -> int:
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO receipts ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
    seq = connection.last_insert_rowid()
    connection.execute(
        "INSERT INTO bodies VALUES (?,?,?,?)",
        (seq, body, hashlib.sha256(body if body is not None else raw).digest(), raw),
    )
    return seq


def _hold_broken(connection: apsw.Connection, record: Broken, document: Document, now: float, counts: Accepted) -> None:
    identity = f"broken_{hashlib.sha256(record.raw + record.reason.encode()).hexdigest()[:16]}"
    if connection.execute("SELECT 1 FROM receipts WHERE id = ?", (identity,)).fetchone():
        counts.duplicates += 1
        return
    seq = _insert(
        connection,
        {
            "id": identity, "number": record.number, "store": record.store, "till": "", "business_date": "",
            "created": "", "currency": "", "total": "", "line_count": 0, "state": State.HELD, "due": 0.0,
            "reason": record.reason, "document": document.name, "place": record.place,
            "accepted_at": now, "changed_at": now,
        },
        None,
        record.raw,
    )  # fmt: skip
    events.record(connection, now, "accept", State.HELD, receipt=seq, reason=record.reason, place=record.place)
    counts.held += 1
    counts.because(record.reason)


def _accept_one(
    connection: apsw.Connection, found: Found, anonymous: Customer | None, now: float, counts: Accepted
) -> None:
    receipt = found.receipt
    body = dumps(receipt)
    identity, state, reason = receipt.id, State.ACCEPTED, ""
    known = connection.execute(
        "SELECT b.body FROM receipts r JOIN bodies b USING (seq) WHERE r.id = ?", (identity,)
    ).fetchone()
    if known is not None:
        digest = content_digest(receipt)
        identity = f"{receipt.id}#{digest[:12]}"
        same = known[0] is not None and content_digest(loads(known[0])) == digest
        if same or connection.execute("SELECT 1 FROM receipts WHERE id = ?", (identity,)).fetchone():
            counts.duplicates += 1
            return
        state = State.HELD
        reason = "the id is taken by other content: " + "; ".join(difference(known[0], body)[:10])
    customer = receipt.customer if receipt.customer and receipt.customer.identifiers else anonymous
    if state is State.ACCEPTED and customer is None:
        state, reason = State.SKIPPED, "no customer"
    key = None
    if state is State.ACCEPTED and customer is not None:
        key = contacts.link(connection, customer, receipt.store, now)
    seq = _insert(
        connection,
        {
            "id": identity, "number": receipt.number, "store": receipt.store, "till": receipt.till,
            "business_date": receipt.business_date.isoformat(), "created": receipt.created.isoformat(),
            "currency": receipt.currency, "total": str(receipt.total), "line_count": len(receipt.lines),
            "state": state, "due": now, "reason": reason, "contact": key,
            "document": receipt.raw.document, "place": receipt.raw.place, "accepted_at": now, "changed_at": now,
        },
        body,
        found.raw,
    )  # fmt: skip
    told = {"reason": reason} if reason else {}
    events.record(connection, now, "accept", state, receipt=seq, document=receipt.raw.document, **told)
    if state is State.ACCEPTED:
        counts.accepted += 1
        return
    counts.because(reason if state is State.SKIPPED else "the id is taken by other content")
    if state is State.SKIPPED:
        counts.skipped += 1
    else:
        counts.held += 1

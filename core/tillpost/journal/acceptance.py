"""Acceptance: what becomes of each record of a document, in the transaction that makes it durable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import apsw
import attrs

from tillpost.journal import contacts, events
from tillpost.journal.moves import Move, apply_move
from tillpost.journal.states import State
from tillpost.model import Broken, Customer, Document, Found, NoReceipt, Parsed
from tillpost.model.receipt_json import content_digest, difference, dumps, loads

_COUNTED = ("accepted", "duplicates", "skipped", "not_receipts", "held")


@attrs.define(kw_only=True)
class Accepted:
    """What came of a document, counted. `reasons` counts what was skipped or held, by reason."""

    accepted: int = 0
    duplicates: int = 0
    skipped: int = 0
    not_receipts: int = 0
    held: int = 0
    reasons: dict[str, int] = attrs.field(factory=dict)

    def records(self) -> int:
        """How many records there were."""
        return self.accepted + self.duplicates + self.skipped + self.not_receipts + self.held

    def counted(self) -> dict[str, int]:
        """The counts by name, without the reasons: what a source is answered."""
        return {name: getattr(self, name) for name in _COUNTED}

    def add(self, other: Accepted) -> None:
        """Count what came of further records of the document."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def plus(self, other: Accepted) -> Accepted:
        """Both together, as a new value."""
        both = Accepted(**self.counted(), reasons=dict(self.reasons))
        both.add(other)
        return both

    def because(self, reason: str) -> None:
        """Count a reason."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def accept_records(
    connection: apsw.Connection,
    parsed: Sequence[Parsed],
    document: Document,
    anonymous: Customer | None,
    now: float,
) -> Accepted:
    """Insert the records and count what came of each; the caller commits."""
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
        "SELECT b.body, b.checksum, r.seq, r.state FROM receipts r LEFT JOIN bodies b USING (seq) WHERE r.id = ?",
        (identity,),
    ).fetchone()
    if known is not None:
        if known[0] == body and _whole(known[0], known[1]):
            # The same document again: how a large one goes on where a crash stopped it, so it must cost little.
            counts.duplicates += 1
            return
        if not _whole(known[0], known[1]):
            # The journal's copy is damaged, and here is the receipt once more: it takes the place of the copy.
            restore(connection, known[2], found, now)
            if known[3] == State.HELD:
                counts.accepted += 1
            else:
                counts.duplicates += 1
            return
        digest = content_digest(receipt)
        identity = f"{receipt.id}#{digest[:12]}"
        same = content_digest(loads(known[0])) == digest
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
    if receipt.flags:
        told["flags"] = ", ".join(receipt.flags)
    events.record(connection, now, "accept", state, receipt=seq, document=receipt.raw.document, **told)
    if state is State.ACCEPTED:
        counts.accepted += 1
        return
    counts.because(reason if state is State.SKIPPED else "the id is taken by other content")
    if state is State.SKIPPED:
        counts.skipped += 1
    else:
        counts.held += 1


def _whole(body: object, checksum: object) -> bool:
    return isinstance(body, bytes) and hashlib.sha256(body).digest() == checksum


def restore(connection: apsw.Connection, seq: int, found: Found, now: float) -> None:
    """A receipt whose body is damaged gets it back; if it was held for that it goes on.

    What Engage has by now it ignores when it comes again: the id is the same.
    """
    body = dumps(found.receipt)
    connection.execute(
        "INSERT INTO bodies VALUES (?1, ?2, ?3, ?4) ON CONFLICT (seq) DO UPDATE SET body = ?2, checksum = ?3, raw = ?4",
        (seq, body, hashlib.sha256(body).digest(), found.raw),
    )
    events.record(connection, now, "accept", "content restored", receipt=seq)
    state, contact = connection.execute("SELECT state, contact FROM receipts WHERE seq = ?", (seq,)).get
    if state != State.HELD:
        return
    customer = found.receipt.customer
    if contact is None and customer and customer.identifiers:
        contact = contacts.link(connection, customer, found.receipt.store, now)
        connection.execute("UPDATE receipts SET contact = ? WHERE seq = ?", (contact, seq))
    if contact is not None:
        apply_move(connection, seq, Move(state=State.ACCEPTED, due=now, reason="content restored"), now, "accept")

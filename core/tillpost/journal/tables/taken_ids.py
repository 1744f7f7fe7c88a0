"""What becomes of a receipt when its till corrects it, voids it, or its record is read again under another id.

What never left for the destination gives way. What did, or may have, is a person's decision: the destination keeps the
first receipt of an id for ever, and ignores every other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs

from tillpost.journal.database import Transaction
from tillpost.journal.moves import Move, apply_move
from tillpost.journal.states import State
from tillpost.journal.tables import events, removed_rows
from tillpost.model import Found, NoReceipt, Parsed, RawRef, Receipt

CORRECTED = "gave way to the till's correction"
CORRECTED_BY_HAND = "gave way to a correction by hand"
VOIDED = "voided at the till"
READ_AGAIN = "its record was read again under another id"
RECORDED = "already recorded under another id"
ANSWERED = "answered by other receipts"
MOVED = "moved to another pipeline"
SUPERSEDED = (CORRECTED, CORRECTED_BY_HAND, VOIDED, READ_AGAIN, ANSWERED, MOVED)
"""Reasons of skipped receipts that are never sent again, not by a replay either: another one stands in their place."""
CHANGED_LATE = "changed at the till after it was sent"
VOIDED_LATE = "voided at the till after it was sent"
MAY_BE_REMOVED = "older than what the journal keeps"
"""How the reason begins of a held sale that may have been sent under a former id and removed since."""
TAKEN = "the id is taken by other content"
TAKEN_BACK = (CHANGED_LATE, VOIDED_LATE)
"""How the reasons of held records begin that take back what the destination has, or may have."""
NOT_SHOWN = "not in the history"
"""How the reason begins of a receipt that the destination has not, by its own history."""

_NO_CONTACT = ("no customer", "the contact is unknown")
"""How the reasons of receipts begin that were skipped for want of a contact."""
_LEFT = (State.WRITTEN, State.TRANSFERRED, State.UNCERTAIN, State.DELIVERED)
_MAY_BE_THERE = (State.TRANSFERRED, State.UNCERTAIN, State.DELIVERED)


@attrs.frozen
class Taken:
    """The receipt that has an id: its row and what decides whether it gives way."""

    seq: int
    id: str
    state: State = attrs.field(converter=State)
    reason: str
    sending: float | None
    sale: tuple[str, ...]
    """Store, till, number and business date."""
    created: str
    total: str
    accepted_at: float


def taken(transaction: Transaction, receipt_id: str) -> Taken | None:
    """The receipt with this id."""
    row = transaction.execute(
        "SELECT seq, id, state, reason, sending, store, till, number, business_date, created, total, accepted_at"
        " FROM receipts WHERE id = ?",
        (receipt_id,),
    ).fetchone()
    if row is None:
        return None
    seq, identity, state, reason, sending, *sale, created, total, accepted_at = row
    return Taken(seq, identity, state, reason, sending, tuple(sale), created, total, accepted_at)


def known_by_former_ids(transaction: Transaction, parsed: Sequence[Parsed]) -> set[str]:
    """Those of the records' former ids that are in the journal."""
    former = [(name,) for record in parsed if isinstance(record, Found) for name in record.former_ids]
    if not former:
        return set()
    return {str(name) for (name,) in transaction.executemany("SELECT id FROM receipts WHERE id = ?", former)}


def may_have_left(transaction: Transaction, known: Taken) -> bool:
    """Whether the destination has the receipt, or may have it: by its state, else by its events."""
    if known.sending is not None or known.state in _LEFT or known.reason.startswith(MAY_BE_REMOVED):
        return True
    left = sending = False
    for step, what, detail in transaction.execute(
        "SELECT step, what, detail FROM events WHERE receipt = ? ORDER BY seq", (known.seq,)
    ):
        if what in _MAY_BE_THERE:
            left = True
        elif what == State.WAITING and NOT_SHOWN in detail:
            left = False
        elif what == State.HELD and step == "recover":
            left = left or sending
        sending = what == "sending"
    return left


def gives_way(transaction: Transaction, known: Taken, other: Receipt, same_document: bool) -> bool:
    """Whether the receipt gives way to other content of its id.

    It must not have left, and be held, or waiting for another attempt, or skipped for want of a contact. A number that
    a till has used for two sales is told by their times and totals, and two in one document are no correction.
    """
    if known.state is State.SKIPPED:
        return known.reason.startswith(_NO_CONTACT) and not may_have_left(transaction, known)
    if known.state is not State.HELD and (known.state is not State.WAITING or same_document):
        return False
    sale = (other.store, other.till, other.number, other.business_date.isoformat())
    alike = known.created == other.created.isoformat() or known.total == str(other.total)
    return known.sale == sale and alike and not may_have_left(transaction, known)


def supersede(
    transaction: Transaction,
    known: Taken,
    reason: str,
    now: float,
    *,
    identity: str = "",
    step: str = "accept",
    **by: str,
) -> None:
    """Skip a receipt in whose place another one stands. identity: the id it has from now on. by: for the event."""
    transaction.execute("UPDATE receipts SET id = ? WHERE seq = ?", (identity or known.id, known.seq))
    if known.state is State.SKIPPED:
        transaction.execute("UPDATE receipts SET reason = ?, changed_at = ? WHERE seq = ?", (reason, now, known.seq))
    else:
        apply_move(transaction, known.seq, Move(state=State.SKIPPED, reason=reason), now, step)
    events.record(transaction, now, step, "superseded", receipt=known.seq, reason=reason, **by)


def give_way(transaction: Transaction, known: Taken, digest: str, to: RawRef, now: float) -> None:
    """Leave the id to the till's correction. digest: of the content that gives way."""
    identity = free_id(transaction, known.id, digest)
    supersede(transaction, known, CORRECTED, now, identity=identity, document=to.document, place=to.place)


def may_be_removed(transaction: Transaction, created: float) -> bool:
    """Whether a sale of this time may have been in the journal and been removed by `keep`.

    It may when it is older than the acceptance of the first receipt behind all that were removed.
    """
    row = transaction.execute(
        "SELECT accepted_at FROM receipts WHERE seq > (SELECT max(last) FROM removed WHERE of = ?)"
        " ORDER BY seq LIMIT 1",
        (removed_rows.RECEIPTS,),
    ).fetchone()
    return row is not None and created < row[0]


def maybe_removed(found: Found) -> str:
    """The reason for which such a sale is held."""
    return (
        f"{MAY_BE_REMOVED}, and may have been sent under its former id {found.former_ids[0]}: look there;"
        " `held retry` sends it, `held discard` does not"
    )


def read_again(transaction: Transaction, known: Taken, new: str, now: float) -> None:
    """Leave the sale to the id that today's settings give it."""
    identity = known.id if "#" in known.id else free_id(transaction, known.id, hashlib.sha256(new.encode()).hexdigest())
    supersede(transaction, known, READ_AGAIN, now, identity=identity, id=new)


def note_other_id(transaction: Transaction, known: Taken, other: str, now: float) -> None:
    """Record, once, that the sale was read again and would have another id."""
    told = "SELECT 1 FROM events WHERE receipt = ? AND what = ? LIMIT 1"
    if not transaction.execute(told, (known.seq, RECORDED)).fetchone():
        events.record(transaction, now, "accept", RECORDED, receipt=known.seq, id=other)


def free_id(transaction: Transaction, receipt_id: str, digest: str) -> str:
    """An id for a receipt that does not keep its own, with a digest of its content that no other has."""
    while transaction.execute("SELECT 1 FROM receipts WHERE id = ?", (f"{receipt_id}#{digest[:12]}",)).fetchone():
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return f"{receipt_id}#{digest[:12]}"


def was_corrected(transaction: Transaction, seq: int, raw: bytes) -> bool:
    """Whether a person has corrected what the till wrote in this record."""
    return bool(
        transaction.execute(
            "SELECT 1 FROM events e JOIN bodies b ON b.seq = e.receipt"
            " WHERE e.receipt = ? AND e.what = 'corrected' AND b.raw = ? LIMIT 1",
            (seq, raw),
        ).fetchone()
    )


def late_change(known: Taken, left: bool) -> str:
    """How the reason begins for which other content of a taken id is held."""
    return f"{CHANGED_LATE} (it is {known.state})" if left else TAKEN


def has_voids(transaction: Transaction) -> bool:
    """Whether tills have voided anything; that most have not is found out at once."""
    return transaction.execute("SELECT 1 FROM voids LIMIT 1").fetchone() is not None


def void_reasons(transaction: Transaction, ids: list[str]) -> set[str]:
    """Those of these ids that a till has voided for good."""
    rows = transaction.executemany("SELECT id FROM voids WHERE id = ? AND final = 1", [(each,) for each in ids])
    return {str(identity) for (identity,) in rows}


def late_void(transaction: Transaction, record: NoReceipt, document: tuple[str, str], now: float) -> Taken | None:
    """Note what a record takes back. What has not left is skipped; what has, or may have, is returned.

    document: its name and SHA-256.
    """
    name, sha256 = document
    known = taken(transaction, record.voids)
    before = transaction.execute("SELECT document, place, at FROM voids WHERE id = ?", (record.voids,)).fetchone()
    if before is not None and before[:2] == (sha256, record.place):
        return None  # the same document again
    transaction.execute(
        "INSERT INTO voids (id, document, place, reason, at, final) VALUES (?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE"
        " SET document = excluded.document, place = excluded.place, reason = excluded.reason,"
        " final = CASE excluded.final WHEN 1 THEN 1 ELSE voids.final END",
        (record.voids, sha256, record.place, record.reason, now, int(record.final)),
    )
    if known is None or (before is not None and not record.final and before[2] <= known.accepted_at):
        return None  # no such sale, or the number of a voided one was used again
    if may_have_left(transaction, known):
        return None if taken(transaction, f"{known.id}#voided") is not None else known
    # Other content of the same id, held beside it, is of the same sale.
    rows = transaction.execute(
        "SELECT id FROM receipts WHERE id > ? AND id < ? AND state = 'held'", (f"{known.id}#", f"{known.id}$")
    ).fetchall()
    for each in (known, *(taken(transaction, identity) for (identity,) in rows)):
        if each is not None and (each.state is not State.SKIPPED or each.reason.startswith(_NO_CONTACT)):
            supersede(transaction, each, VOIDED, now, by=f"{name}, {record.place}")
    return None


def is_same_void(transaction: Transaction, record: NoReceipt, sha256: str) -> bool:
    """Whether this record itself is the one that is held for what it takes back."""
    row = transaction.execute("SELECT document, place FROM voids WHERE id = ?", (record.voids,)).fetchone()
    held = transaction.execute("SELECT 1 FROM receipts WHERE id = ?", (f"{record.voids}#voided",)).fetchone()
    return held is not None and row == (sha256, record.place)


def same_sale(transaction: Transaction, found: Found) -> Taken | None:
    """A receipt of the same sale under another id, made with earlier settings; one that may have left before others.

    It is of the same till and day, with the same number, time and total; or its record is the same, byte by byte.
    """
    receipt = found.receipt
    own: tuple[Any, ...] = (receipt.number, str(receipt.total), receipt.currency, receipt.id)
    rows = transaction.execute(
        "SELECT id FROM receipts INDEXED BY receipts_day WHERE store = ? AND business_date = ? AND till = ?"
        " AND created = ? AND number = ? AND total = ? AND currency = ? AND id <> ?",
        (receipt.store, receipt.business_date.isoformat(), receipt.till, receipt.created.isoformat(), *own),
    ).fetchall()
    rows = (
        rows
        or transaction.execute(
            "SELECT r.id FROM receipts r JOIN bodies b USING (seq)"
            " WHERE r.number = ? AND r.total = ? AND r.currency = ? AND r.id <> ? AND b.raw = ?",
            (*own, found.raw),
        ).fetchall()
    )
    known = [each for (identity,) in rows if (each := taken(transaction, identity)) is not None]
    known = [each for each in known if not (each.state is State.SKIPPED and each.reason in SUPERSEDED)]
    return min(known, key=lambda each: not may_have_left(transaction, each), default=None)


def gives_way_to_new_id(transaction: Transaction, known: Taken) -> bool:
    """Whether a receipt that was read again under another id is sent under that one."""
    unsent = known.state is State.HELD or (known.state is State.SKIPPED and known.reason.startswith(_NO_CONTACT))
    return unsent and not may_have_left(transaction, known)

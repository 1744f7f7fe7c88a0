"""Acceptance: the records of a document are checked against the journal and inserted, in one transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import attrs

from tillpost.journal.database import Transaction, first
from tillpost.journal.moves import Move, apply_move
from tillpost.journal.states import State
from tillpost.journal.tables import contact_links, counters, events
from tillpost.model import Broken, Customer, Document, Found, NoReceipt, Parsed
from tillpost.model.receipt_difference import difference
from tillpost.model.receipt_json import content_digest, dumps, loads

_COUNTED = ("accepted", "duplicates", "skipped", "ignored", "held")


@attrs.define(kw_only=True)
class Accepted:
    """How many records of a document were accepted, and how many were not, by reason.

    skipped: sales that are not sent (no customer, voided). ignored: records that are not a sale. reasons: counts what
    was skipped, ignored or held.
    """

    accepted: int = 0
    duplicates: int = 0
    skipped: int = 0
    ignored: int = 0
    held: int = 0
    reasons: Counter[str] = attrs.field(factory=Counter, converter=Counter)

    def records(self) -> int:
        """The number of all records."""
        return sum(self.as_dict().values())

    def as_dict(self) -> dict[str, int]:
        """The counts by name without the reasons, as a source gets them in its answer."""
        return {name: getattr(self, name) for name in _COUNTED}

    def add(self, other: Accepted) -> None:
        """Add the counts of further records of the document."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons.update(other.reasons)

    def plus(self, other: Accepted) -> Accepted:
        """The sum of both, as a new value."""
        both = attrs.evolve(self)
        both.add(other)
        return both


def accept_records(
    transaction: Transaction,
    parsed: Sequence[Parsed],
    document: Document,
    anonymous: Customer | None,
    now: float,
) -> Accepted:
    """Insert the records that are new and count all of them; the caller commits.

    One lookup finds those that are in the journal, and the new ones are inserted together. A record whose id belongs to
    a receipt with other content is inserted by itself, after the ones before it.
    """
    counts = Accepted()
    with counters.count_inserted(transaction):
        records = [_prepare(record) for record in parsed]
        known = _known(transaction, records)
        rows = _Rows(transaction, now)
        rows.links.load(
            who
            for each in records
            if isinstance(each.record, Found) and each.id not in known
            if (who := contact_links.customer_of(each.record.receipt, anonymous)) is not None
        )
        for each in records:
            record = each.record
            if isinstance(record, NoReceipt):
                _add_no_receipt(transaction, record, document, now, counts)
            elif isinstance(record, Broken):
                if each.id in known:
                    counts.duplicates += 1
                    continue
                known[each.id] = None
                rows.add_broken(each.id, record, document)
                counts.held += 1
                counts.reasons[record.reason] += 1
            elif each.id not in known:
                known[each.id] = each.digest
                _accept_new(rows, each, record, anonymous, counts)
            elif known[each.id] == each.digest:
                # After a crash the whole document is accepted again, so a duplicate must cost little.
                counts.duplicates += 1
            else:
                rows.insert()
                if (identity := _accept_changed(rows, each, record, counts)) is not None:
                    known[identity] = None
        rows.insert()
    return counts


@attrs.frozen
class _Record:
    """A record with its id, the body to store, and the digest of the body."""

    record: Parsed
    id: str = ""
    body: bytes = b""
    digest: bytes = b""


def _prepare(record: Parsed) -> _Record:
    if isinstance(record, Found):
        body = dumps(record.receipt)
        return _Record(record, record.receipt.id, body, hashlib.sha256(body).digest())
    if isinstance(record, Broken):
        digest = hashlib.sha256(record.raw + record.reason.encode()).hexdigest()
        return _Record(record, f"broken_{digest[:16]}")
    return _Record(record)


def _known(transaction: Transaction, records: Sequence[_Record]) -> dict[str, bytes | None]:
    """The records that are in the journal: id → digest of the body; None when it has none or a damaged one."""
    rows = transaction.executemany(
        "SELECT r.id, b.body, b.checksum FROM receipts r LEFT JOIN bodies b USING (seq) WHERE r.id = ?",
        ((each.id,) for each in records if each.id),
    )
    return {identity: checksum if _whole(body, checksum) else None for identity, body, checksum in rows}


def _add_no_receipt(
    transaction: Transaction, record: NoReceipt, document: Document, now: float, counts: Accepted
) -> None:
    own = (document.sha256, record.place, record.reason, int(record.retail), record.number, now)
    transaction.execute(
        "INSERT INTO no_receipts (document, place, reason, retail, number, at, store, till, date)"
        " VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (document, place) DO NOTHING",
        (*own, record.store, record.till, record.date),
    )
    if record.retail:
        counts.skipped += 1
    else:
        counts.ignored += 1
    counts.reasons[record.reason] += 1


class _Rows:
    """Collects the rows of new receipts, to insert them together."""

    def __init__(self, transaction: Transaction, now: float) -> None:
        self.transaction, self.now = transaction, now
        self._begin()

    def _begin(self) -> None:
        self.links = contact_links.ContactLinks(self.transaction, self.now)
        self._seq: int | None = None
        self._receipts: list[tuple[Any, ...]] = []
        self._bodies: list[tuple[int, bytes | None, bytes, bytes]] = []
        self._events: list[events.Row] = []

    def _next(self) -> int:
        if self._seq is None:
            self._seq = int(first(self.transaction.execute("SELECT max(seq) FROM receipts")) or 0)
        self._seq += 1
        return self._seq

    def add(
        self, each: _Record, found: Found, identity: str, state: State, reason: str = "", contact: str | None = None
    ) -> None:
        """Add a receipt; the events of its contact come before its own."""
        seq, receipt, now = self._next(), found.receipt, self.now
        self._receipts.append(
            (
                seq, identity, receipt.number, receipt.store, receipt.till, receipt.business_date.isoformat(),
                receipt.created.isoformat(), receipt.currency, str(receipt.total), len(receipt.lines), state, now,
                reason, contact, receipt.raw.document, receipt.raw.place, now, now,
            )
        )  # fmt: skip
        self._bodies.append((seq, each.body, each.digest, found.raw))
        fields = {"reason": reason} if reason else {}
        if receipt.flags:
            fields["flags"] = ", ".join(receipt.flags)
        self._add_event(seq, state, document=receipt.raw.document, **fields)

    def add_broken(self, identity: str, record: Broken, document: Document) -> None:
        """Add a record that could not be read; it is held."""
        seq, now = self._next(), self.now
        self._receipts.append(
            (
                seq, identity, record.number, record.store, "", "", "", "", "", 0, State.HELD, 0.0,
                record.reason, None, document.name, record.place, now, now,
            )
        )  # fmt: skip
        self._bodies.append((seq, None, hashlib.sha256(record.raw).digest(), record.raw))
        self._add_event(seq, State.HELD, reason=record.reason, place=record.place)

    def _add_event(self, seq: int, state: State, **fields: str) -> None:
        if self.links.events:
            self._events += self.links.events
            self.links.events.clear()
        self._events.append((seq, None, self.now, "accept", state, _detail(tuple(fields.items()))))

    def insert(self) -> None:
        """Insert the rows that were added, with their contacts and events, and start again with none."""
        self.links.save()
        self.transaction.executemany(_RECEIPT, self._receipts)
        self.transaction.executemany("INSERT INTO bodies VALUES (?,?,?,?)", self._bodies)
        events.insert(self.transaction, self._events)
        self._begin()


_RECEIPT = (
    "INSERT INTO receipts (seq, id, number, store, till, business_date, created, currency, total, line_count, state,"
    " due, reason, contact, document, place, accepted_at, changed_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


@lru_cache(maxsize=64)
def _detail(fields: tuple[tuple[str, str], ...]) -> str:
    """The detail of an event as JSON; cached, because nearly all receipts of a document have the same."""
    return events.detail(dict(fields))


def _accept_new(rows: _Rows, each: _Record, found: Found, anonymous: Customer | None, counts: Accepted) -> None:
    customer = contact_links.customer_of(found.receipt, anonymous)
    if customer is None:
        rows.add(each, found, each.id, State.SKIPPED, "no customer")
        counts.skipped += 1
        counts.reasons["no customer"] += 1
        return
    contact = rows.links.find_or_create(customer, found.receipt.store)
    rows.add(each, found, each.id, State.ACCEPTED, contact=contact)
    counts.accepted += 1


def _accept_changed(rows: _Rows, each: _Record, found: Found, counts: Accepted) -> str | None:
    """Accept a receipt whose id is in the journal with other or damaged content.

    Returns the id under which it is held; None when it is a duplicate or has repaired the damaged body.
    """
    transaction = rows.transaction
    body, checksum, seq, state = transaction.execute(
        "SELECT b.body, b.checksum, r.seq, r.state FROM receipts r LEFT JOIN bodies b USING (seq) WHERE r.id = ?",
        (each.id,),
    ).fetchone()
    if not _whole(body, checksum):
        # The stored body is damaged, and this one replaces it.
        restore(transaction, seq, found, rows.now)
        counts.add(Accepted(accepted=1) if state == State.HELD else Accepted(duplicates=1))
        return None
    digest = content_digest(found.receipt)
    identity = f"{each.id}#{digest[:12]}"
    same = checksum == each.digest or content_digest(loads(body)) == digest
    if same or transaction.execute("SELECT 1 FROM receipts WHERE id = ?", (identity,)).fetchone():
        counts.duplicates += 1
        return None
    reason = "the id is taken by other content: " + "; ".join(difference(body, each.body)[:10])
    rows.add(each, found, identity, State.HELD, reason)
    counts.held += 1
    counts.reasons["the id is taken by other content"] += 1
    return identity


def _whole(body: object, checksum: object) -> bool:
    return isinstance(body, bytes) and hashlib.sha256(body).digest() == checksum


def restore(transaction: Transaction, seq: int, found: Found, now: float) -> None:
    """Replace the damaged body of a receipt, and accept the receipt again if it was held.

    Sending it twice does no harm: Engage ignores a second receipt with the same id.
    """
    body = dumps(found.receipt)
    transaction.execute(
        "INSERT INTO bodies VALUES (?1, ?2, ?3, ?4) ON CONFLICT (seq) DO UPDATE SET body = ?2, checksum = ?3, raw = ?4",
        (seq, body, hashlib.sha256(body).digest(), found.raw),
    )
    events.record(transaction, now, "accept", "content restored", receipt=seq)
    state, contact = transaction.execute("SELECT state, contact FROM receipts WHERE seq = ?", (seq,)).fetchone()
    if state != State.HELD:
        return
    if contact is None and (customer := contact_links.customer_of(found.receipt)) is not None:
        contact = contact_links.find_or_create(transaction, customer, found.receipt.store, now)
        transaction.execute("UPDATE receipts SET contact = ? WHERE seq = ?", (contact, seq))
    if contact is not None:
        apply_move(transaction, seq, Move(state=State.ACCEPTED, due=now, reason="content restored"), now, "accept")

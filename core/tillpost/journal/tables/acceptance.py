"""Acceptance: the records of a document are checked against the journal and inserted, in one transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from tillpost.journal.database import Transaction
from tillpost.journal.moves import Move, apply_move
from tillpost.journal.states import State
from tillpost.journal.tables import contact_links, events, taken_ids
from tillpost.journal.tables.new_rows import NewRows, Record, prepare
from tillpost.model import Broken, Customer, Document, Found, IdentifierRules, NoReceipt, Parsed
from tillpost.model.receipt_difference import difference
from tillpost.model.receipt_json import content_digest, dumps, loads

_DAY = 86400.0
"""Seconds by which the clocks of tills may differ from ours."""
_NO_RULES = IdentifierRules()
_COUNTED = ("accepted", "duplicates", "skipped", "ignored", "held")


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)
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
    rows: NewRows,
    parsed: Sequence[Parsed],
    document: Document,
    anonymous: Customer | None,
    ids_since: float | None = None,
    rules: IdentifierRules = _NO_RULES,
) -> Accepted:
    """Insert the records that are new and count all of them; the caller commits.

    One lookup finds those that are in the journal, and the new ones are inserted together. A record whose id belongs to
    a receipt with other content is inserted by itself, after the ones before it.

    ids_since: when the settings that make ids were changed; sales from before it may be there under another id.
    """
    counts = Accepted()
    records = [prepare(record) for record in parsed]
    known = _known(rows.transaction, records)
    former = taken_ids.known_by_former_ids(rows.transaction, parsed)
    voided = _voided(rows.transaction, records, known)
    customers = [
        contact_links.customer_of(each.record.receipt, anonymous, rules)
        if isinstance(each.record, Found) and each.id not in known
        else None
        for each in records
    ]
    rows.links.load(customer for customer in customers if customer is not None)
    for each, customer in zip(records, customers, strict=True):
        record = each.record
        if isinstance(record, NoReceipt):
            _accept_no_receipt(rows, record, document, counts)
        elif isinstance(record, Broken):
            if each.id in known:
                counts.duplicates += 1
                continue
            known[each.id] = None
            rows.add_broken(each.id, record, document)
            counts.held += 1
            counts.reasons[record.reason] += 1
        elif each.id not in known:
            if former and _is_recorded_before(rows, each, record, former, counts):
                continue
            if ids_since is not None and _is_recorded(rows, each, record, ids_since, counts):
                continue
            known[each.id] = each.digest
            if each.id in voided:
                rows.add(each, record, each.id, State.SKIPPED, taken_ids.VOIDED)
                counts.skipped += 1
                counts.reasons[taken_ids.VOIDED] += 1
                continue
            if customer is not None and record.former_ids and _is_held(rows, each, record, customer, counts):
                continue
            _accept_new(rows, each, record, customer, counts)
        elif known[each.id] == each.digest:
            # After a crash the whole document is accepted again, so a duplicate must cost little.
            counts.duplicates += 1
        else:
            rows.insert()
            if (identity := _accept_changed(rows, each, record, anonymous, rules, counts)) is not None:
                known[identity] = each.digest if identity == each.id else None
    rows.insert()
    return counts


def _known(transaction: Transaction, records: Sequence[Record]) -> dict[str, bytes | None]:
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


def _accept_new(rows: NewRows, each: Record, found: Found, customer: Customer | None, counts: Accepted) -> None:
    if customer is None:
        rows.add(each, found, each.id, State.SKIPPED, "no customer")
        counts.skipped += 1
        counts.reasons["no customer"] += 1
        return
    contact = rows.links.find_or_create(customer, found.receipt.store, contact_links.stated_at(found.receipt, rows.now))
    rows.add(each, found, each.id, State.ACCEPTED, contact=contact)
    counts.accepted += 1


def _accept_changed(
    rows: NewRows, each: Record, found: Found, anonymous: Customer | None, rules: IdentifierRules, counts: Accepted
) -> str | None:
    """Accept a receipt whose id is in the journal with other or damaged content.

    What has the id gives way when it never left for the destination (taken_ids.py); else the new one is held under an
    id of its own. Returns the id under which it is in the journal; None when it is a duplicate or has repaired the
    damaged body.
    """
    transaction = rows.transaction
    known = taken_ids.taken(transaction, each.id)
    assert known is not None
    body, checksum = transaction.execute(
        "SELECT b.body, b.checksum FROM receipts r LEFT JOIN bodies b USING (seq) WHERE r.seq = ?", (known.seq,)
    ).fetchone()
    if not _whole(body, checksum):
        # The stored body is damaged, and this one replaces it.
        restore(transaction, known.seq, found, rows.now)
        counts.add(Accepted(accepted=1) if known.state is State.HELD else Accepted(duplicates=1))
        return None
    digest, before = content_digest(found.receipt), loads(body)
    identity = f"{each.id}#{digest[:12]}"
    same = checksum == each.digest or content_digest(before) == digest
    same = same or taken_ids.was_corrected(transaction, known.seq, found.raw)
    if same or transaction.execute("SELECT 1 FROM receipts WHERE id = ?", (identity,)).fetchone():
        counts.duplicates += 1
        return None
    if taken_ids.gives_way(transaction, known, found.receipt, before.raw.sha256 == found.receipt.raw.sha256):
        taken_ids.give_way(transaction, known, content_digest(before), found.receipt.raw, rows.now)
        _accept_new(rows, each, found, contact_links.customer_of(found.receipt, anonymous, rules), counts)
        return each.id
    why = taken_ids.late_change(known, taken_ids.may_have_left(transaction, known))
    rows.add(each, found, identity, State.HELD, f"{why}: {'; '.join(difference(body, each.body)[:10])}")
    counts.held += 1
    counts.reasons[why.partition(" (")[0]] += 1
    return identity


def _voided(transaction: Transaction, records: Sequence[Record], known: Mapping[str, bytes | None]) -> set[str]:
    """The new receipts that their till had voided before they came."""
    if not taken_ids.has_voids(transaction):
        return set()
    return taken_ids.void_reasons(transaction, [each.id for each in records if each.id and each.id not in known])


def _accept_no_receipt(rows: NewRows, record: NoReceipt, document: Document, counts: Accepted) -> None:
    """Count it. What it takes back is skipped while it has not left; else the record is held for a person."""
    transaction, now = rows.transaction, rows.now
    if record.voids:
        rows.insert()
        known = taken_ids.late_void(transaction, record, (document.name, document.sha256), now)
        if known is not None:
            reason = f"{taken_ids.VOIDED_LATE} (it is {known.state}): {record.reason}"
            rows.add_late_void(f"{known.id}#voided", record, document, reason, known.sale)
            counts.held += 1
            counts.reasons[taken_ids.VOIDED_LATE] += 1
            return
        if taken_ids.is_same_void(transaction, record, document.sha256):
            counts.duplicates += 1
            counts.reasons[taken_ids.VOIDED_LATE] += 1
            return
    _add_no_receipt(transaction, record, document, now, counts)


def _is_recorded(rows: NewRows, each: Record, found: Found, ids_since: float, counts: Accepted) -> bool:
    """Whether the sale is in the journal under an id that other settings made; if so it is a duplicate.

    One that never left gives way to the new id, and then it is not.
    """
    if found.receipt.created.timestamp() > ids_since + _DAY and "clock-off" not in found.receipt.flags:
        return False
    rows.insert()
    known = taken_ids.same_sale(rows.transaction, found)
    return known is not None and _keeps_its_id(rows, each, known, counts)


def _is_recorded_before(rows: NewRows, each: Record, found: Found, former: set[str], counts: Accepted) -> bool:
    """Whether the record is in the journal under an id that an earlier version of the adapter made."""
    name = next((name for name in found.former_ids if name in former), None)
    if name is None:
        return False
    rows.insert()
    known = taken_ids.taken(rows.transaction, name)
    if known is None or (known.state is State.SKIPPED and known.reason in taken_ids.SUPERSEDED):
        return False
    return _keeps_its_id(rows, each, known, counts)


def _is_held(rows: NewRows, each: Record, found: Found, customer: Customer, counts: Accepted) -> bool:
    """Hold a sale that may have been sent under a former id and removed since: sent again, it would be there twice."""
    receipt = found.receipt
    if not taken_ids.may_be_removed(rows.transaction, receipt.created.timestamp()):
        return False
    why = taken_ids.maybe_removed(found)
    contact = rows.links.find_or_create(customer, receipt.store, contact_links.stated_at(receipt, rows.now))
    rows.add(each, found, each.id, State.HELD, why, contact)
    counts.held += 1
    counts.reasons[taken_ids.MAY_BE_REMOVED] += 1
    return True


def _keeps_its_id(rows: NewRows, each: Record, known: taken_ids.Taken, counts: Accepted) -> bool:
    """Count a sale that is recorded under another id as a duplicate; False where that one gives way to the new id."""
    if taken_ids.gives_way_to_new_id(rows.transaction, known):
        taken_ids.read_again(rows.transaction, known, each.id, rows.now)
        return False
    taken_ids.note_other_id(rows.transaction, known, each.id, rows.now)
    counts.duplicates += 1
    counts.reasons[taken_ids.RECORDED] += 1
    return True


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
        at = contact_links.stated_at(found.receipt, now)
        contact = contact_links.find_or_create(transaction, customer, found.receipt.store, now, at)
        transaction.execute("UPDATE receipts SET contact = ? WHERE seq = ?", (contact, seq))
    if contact is not None:
        apply_move(transaction, seq, Move(state=State.ACCEPTED, due=now, reason="content restored"), now, "accept")

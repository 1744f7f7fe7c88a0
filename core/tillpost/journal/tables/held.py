"""Held receipts in the journal: accepted again, corrected, or answered by a return, each in one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tillpost.errors import ChangedMeanwhile, InvalidValue, JournalError
from tillpost.journal.database import Table, Transaction
from tillpost.journal.moves import Move, apply_move, apply_moves
from tillpost.journal.states import State
from tillpost.journal.tables import contact_links, events, taken_ids
from tillpost.journal.tables.acceptance import Accepted, accept_records, restore
from tillpost.journal.tables.new_rows import NewRows
from tillpost.journal.tables.receipt_rows import Entry
from tillpost.journal.tables.taken_ids import Taken
from tillpost.journal.tables.verification import CUSTOMER_UNKNOWN
from tillpost.model import Customer, Document, Found, IdentifierRules, Receipt
from tillpost.model.receipt_json import content_digest, dumps, loads

_EVERY = 10.0
"""Seconds between two looks at what is held beside other receipts."""
VOID = "#voided"
"""The end of the id of a held record that takes back what has left."""

_KNOWN_BY_NOW = (
    "SELECT r.seq FROM receipts r INDEXED BY receipts_state JOIN contacts c ON c.key = r.contact"
    " WHERE r.state = 'held' AND substr(r.reason, 1, length(?1)) = ?1 AND c.contact_id <> '' AND c.conflict = ''"
    " AND NOT EXISTS (SELECT 1 FROM receipts v WHERE v.id = r.id || '#voided') ORDER BY r.seq"
)


class Held(Table):
    """Decisions of a person about held receipts. rules: how identifiers are read."""

    rules = IdentifierRules()
    _looked_at = float("-inf")

    def retry(self, entry: Entry, found: Found | None, now: float) -> None:
        """Accept a receipt again; found: its record read again, when there was no body or it is damaged.

        Raises JournalError when it is not held as the entry says any more, or has no contact.
        """
        receipt_id = entry.id

        def work(transaction: Transaction) -> None:
            held = _held(transaction, entry)
            if found is not None:
                restore(transaction, held.seq, found, now)
                return
            (contact,) = transaction.execute("SELECT contact FROM receipts WHERE seq = ?", (held.seq,)).fetchone()
            if contact is None:
                raise JournalError(
                    f"{receipt_id} has no contact, so it stays held; give it one with"
                    f" `tillpost held correct {receipt_id} --set customer.email=...`, or discard it"
                )
            apply_move(transaction, held.seq, Move(state=State.ACCEPTED, due=now, reason="retried"), now, "held")
            transaction.execute("UPDATE receipts SET crashes = 0 WHERE seq = ?", (held.seq,))

        self._database.write(work)

    def discard(self, entry: Entry, reason: str, now: float) -> None:
        """Never send it. Raises JournalError when it is not held as the entry says: it may be on its way by now."""

        def work(transaction: Transaction) -> None:
            held = _held(transaction, entry)
            (attempts,) = transaction.execute("SELECT attempts FROM receipts WHERE seq = ?", (held.seq,)).fetchone()
            move = Move(state=State.SKIPPED, attempts=attempts, reason=f"discarded: {reason}")
            apply_move(transaction, held.seq, move, now, "held")

        self._database.write(work)

    def read_again(
        self,
        entry: Entry,
        parsed: Sequence[Found],
        document: Document,
        anonymous: Customer | None,
        now: float,
        *,
        by_hand: bool = False,
    ) -> Accepted:
        """Accept what a record that could not be read is by now, and skip the record. Raises as `retry`.

        by_hand: a person has written it, and an id that another receipt has is an error.
        """

        def work(transaction: Transaction) -> Accepted:
            held = _held(transaction, entry)
            for each in parsed if by_hand else ():
                if (there := taken_ids.taken(transaction, each.receipt.id)) is not None:
                    raise JournalError(
                        f"{there.id} is there already, {there.state}; discard {entry.id}, or correct that one"
                    )
            counts = accept_records(NewRows(transaction, now), parsed, document, anonymous, rules=self.rules)
            apply_move(transaction, held.seq, Move(state=State.SKIPPED, reason="read again"), now, "held")
            return counts

        return self._database.write(work)

    def correct(
        self, entry: Entry, receipt: Receipt, fields: Sequence[str], anonymous: Customer | None, now: float
    ) -> bool:
        """Accept a held receipt with other content; whether the destination may have it with the earlier one.

        receipt: what is sent. fields: what a person has changed, for the event. Of a correction of the till that is
        held beside the receipt it corrects, that one gives way. Raises JournalError when it may have left.
        """
        receipt_id = entry.id

        def work(transaction: Transaction) -> bool:
            held = _held(transaction, entry)
            customer = contact_links.customer_of(receipt, anonymous, self.rules)
            if customer is None:
                raise JournalError(f"{receipt_id} would have no customer; nothing is changed")
            first = taken_ids.taken(transaction, receipt.id)
            left = taken_ids.may_have_left(transaction, held)
            if first is not None and first.seq != held.seq:
                if taken_ids.may_have_left(transaction, first):
                    raise JournalError(_too_late(receipt_id, first))
                identity = taken_ids.free_id(transaction, first.id, _digest(transaction, first.seq))
                taken_ids.supersede(
                    transaction, first, taken_ids.CORRECTED_BY_HAND, now, step="held", identity=identity
                )
            contact = contact_links.find_or_create(
                transaction, customer, receipt.store, now, contact_links.stated_at(receipt, now)
            )
            body = dumps(receipt)
            transaction.execute(
                "UPDATE receipts SET id = ?, number = ?, store = ?, till = ?, business_date = ?, created = ?,"
                " currency = ?, total = ?, line_count = ?, contact = ?, crashes = 0 WHERE seq = ?",
                (
                    receipt.id, receipt.number, receipt.store, receipt.till, receipt.business_date.isoformat(),
                    receipt.created.isoformat(), receipt.currency, str(receipt.total), len(receipt.lines), contact,
                    held.seq,
                ),
            )  # fmt: skip
            transaction.execute(
                "UPDATE bodies SET body = ?, checksum = ? WHERE seq = ?",
                (body, hashlib.sha256(body).digest(), held.seq),
            )
            events.record(transaction, now, "held", "corrected", receipt=held.seq, fields=", ".join(fields))
            move = Move(
                state=State.ACCEPTED, due=now, reason="corrected by hand" if fields else "the till's correction"
            )
            apply_move(transaction, held.seq, move, now, "held")
            return left

        return self._database.write(work)

    def take_effect(self, anonymous: Customer | None, now: float) -> int:
        """Voids and corrections that were held while their receipt was on its way take effect, if it never left.

        What an import omitted for want of its customer is sent once that is known. Returns how many. Of several
        corrections of a receipt the newest does. It looks every _EVERY seconds.
        """
        if 0.0 <= now - self._looked_at < _EVERY:
            return 0
        self._looked_at = now
        sent = self._send_known(now)
        held = self._database.read(
            "SELECT id, seq FROM receipts INDEXED BY receipts_state WHERE state = 'held' AND id LIKE '%#%'"
            " ORDER BY seq DESC"
        )
        settled = [
            (identity, seq)
            for identity, seq in held
            if self._database.read(
                "SELECT 1 FROM receipts WHERE id = ? AND state IN ('held', 'waiting')", (identity.partition("#")[0],)
            )
        ]
        if not settled:
            return sent

        def work(transaction: Transaction) -> int:
            return sent + sum(
                self._take_effect(transaction, identity, seq, anonymous, now) for identity, seq in settled
            )

        return self._database.write(work)

    def _send_known(self, now: float) -> int:
        """Not what its till has voided since: a person decides on both."""
        if not self._database.read(_KNOWN_BY_NOW, (CUSTOMER_UNKNOWN,)):
            return 0

        def work(transaction: Transaction) -> int:
            seqs = [seq for (seq,) in transaction.execute(_KNOWN_BY_NOW, (CUSTOMER_UNKNOWN,)).fetchall()]
            reason = "its customer is known by now: sent under the same id"
            apply_moves(transaction, seqs, Move(state=State.ACCEPTED, due=now, reason=reason), now, "held")
            return len(seqs)

        return self._database.write(work)

    def _take_effect(
        self, transaction: Transaction, identity: str, seq: int, anonymous: Customer | None, now: float
    ) -> bool:
        first, own = (taken_ids.taken(transaction, each) for each in (identity.partition("#")[0], identity))
        if first is None or own is None or own.state is not State.HELD:
            return False
        if identity.endswith(VOID):
            if first.state is State.SKIPPED or taken_ids.may_have_left(transaction, first):
                return False
            taken_ids.supersede(transaction, first, taken_ids.VOIDED, now, step="held")
            taken_ids.supersede(transaction, own, taken_ids.VOIDED, now, step="held", identity=identity)
            return True
        try:
            receipt, before = loads(_body(transaction, seq)), loads(_body(transaction, first.seq))
        except (InvalidValue, TypeError):
            return False
        customer = contact_links.customer_of(receipt, anonymous, self.rules)
        same_document = before.raw.sha256 == receipt.raw.sha256
        if customer is None or not taken_ids.gives_way(transaction, first, receipt, same_document):
            return False
        taken_ids.give_way(transaction, first, content_digest(before), receipt.raw, now)
        at = contact_links.stated_at(receipt, now)
        contact = contact_links.find_or_create(transaction, customer, receipt.store, now, at)
        transaction.execute("UPDATE receipts SET id = ?, contact = ? WHERE seq = ?", (first.id, contact, seq))
        apply_move(transaction, seq, Move(state=State.ACCEPTED, due=now, reason="the till's correction"), now, "held")
        return True

    def answer(
        self,
        entry: Entry,
        receipts: Sequence[Receipt],
        reason: str,
        anonymous: Customer | None,
        now: float,
        delivered: str = "",
    ) -> Accepted:
        """Skip a held record that takes back what has left, and accept the receipts that put it right, in one commit.

        delivered: the id of what they take back. Raises JournalError when that is not delivered any more, one of them
        is there already, or the record is not held as the entry says.
        """
        receipt_id = entry.id

        def work(transaction: Transaction) -> Accepted:
            held = _held(transaction, entry)
            for identity in filter(None, (delivered, *(receipt.id for receipt in receipts))):
                there = taken_ids.taken(transaction, identity)
                if (there is None or there.state is not State.DELIVERED) if identity == delivered else there:
                    state = "gone" if there is None else there.state
                    raise ChangedMeanwhile(f"{identity} is {state} by now; {receipt_id} stays held, look at both again")
            records = [Found(receipt=receipt, raw=dumps(receipt)) for receipt in receipts]
            document = Document.from_bytes(f"tillpost held {receipt_id}", records[0].raw)
            counts = accept_records(NewRows(transaction, now), records, document, anonymous, rules=self.rules)
            apply_move(transaction, held.seq, Move(state=State.SKIPPED, reason=taken_ids.ANSWERED), now, "held")
            ids = ", ".join(receipt.id for receipt in receipts)
            events.record(transaction, now, "held", "answered", receipt=held.seq, reason=reason, by=ids)
            return counts

        return self._database.write(work)


def _held(transaction: Transaction, entry: Entry) -> Taken:
    """The receipt, held as it was when it was looked at."""
    held = taken_ids.taken(transaction, entry.id)
    if held is None or held.state is not State.HELD:
        raise JournalError(f"{entry.id} is not held")
    if (held.seq, held.reason) != (entry.seq, entry.reason):
        raise ChangedMeanwhile(f"{entry.id} is held for another reason by now, and stays so: {held.reason}; look again")
    return held


def _body(transaction: Transaction, seq: int) -> bytes:
    body: bytes = transaction.execute("SELECT body FROM bodies WHERE seq = ?", (seq,)).fetchone()[0]
    return body


def _digest(transaction: Transaction, seq: int) -> str:
    """The digest of the content of a row, by which it is known when its document comes again."""
    body, checksum = transaction.execute("SELECT body, checksum FROM bodies WHERE seq = ?", (seq,)).fetchone()
    try:
        return content_digest(loads(body))
    except (InvalidValue, TypeError):  # damaged, or none
        return str(checksum.hex())


def _too_late(receipt_id: str, first: Taken) -> str:
    return (
        f"{receipt_id} stays held: {first.id} is {first.state}, and the destination keeps what it has of an id."
        f" `tillpost held return {receipt_id} --reason ...` sends a return and a new sale once {first.id} is delivered;"
        f" `tillpost held discard {receipt_id} --reason ...` leaves it as it is"
    )

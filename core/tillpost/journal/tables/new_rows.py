"""The rows of new receipts: collected, then inserted together with their contacts and events."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import attrs

from tillpost.journal.database import Transaction, first
from tillpost.journal.states import State
from tillpost.journal.tables import contact_links, counters, events
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed
from tillpost.model.receipt_json import dumps


@attrs.frozen
class Record:
    """A record with its id, the body to store, and the digest of the body."""

    record: Parsed
    id: str = ""
    body: bytes = b""
    digest: bytes = b""


def prepare(record: Parsed) -> Record:
    if isinstance(record, Found):
        body = dumps(record.receipt)
        return Record(record, record.receipt.id, body, hashlib.sha256(body).digest())
    if isinstance(record, Broken):
        digest = hashlib.sha256(record.raw + record.reason.encode()).hexdigest()
        return Record(record, f"broken_{digest[:16]}")
    return Record(record)


class NewRows:
    """Collects the rows of new receipts, to insert them together."""

    def __init__(self, transaction: Transaction, now: float) -> None:
        self.transaction, self.now = transaction, now
        self.last = int(first(transaction.execute("SELECT max(seq) FROM receipts")) or 0)
        """The last row of the table, with those that were added."""
        self._begin()

    def _begin(self) -> None:
        self.links = contact_links.ContactLinks(self.transaction, self.now)
        self._receipts: list[tuple[Any, ...]] = []
        self._bodies: list[tuple[int, bytes | None, bytes, bytes]] = []
        self._events: list[events.Row] = []

    def _next(self) -> int:
        self.last += 1
        return self.last

    def add(
        self, each: Record, found: Found, identity: str, state: State, reason: str = "", contact: str | None = None
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
        self._add_held(identity, record.raw, record.reason, (record.store, "", record.number, ""), record, document)

    def add_late_void(
        self, identity: str, record: NoReceipt, document: Document, reason: str, sale: tuple[str, ...]
    ) -> None:
        """Add a record that takes back what the destination has; it is held. sale: whose, as `Taken.sale`."""
        self._add_held(identity, b"", reason, sale, record, document)

    def _add_held(
        self,
        identity: str,
        raw: bytes,
        reason: str,
        sale: tuple[str, ...],
        record: Broken | NoReceipt,
        document: Document,
    ) -> None:
        seq, now = self._next(), self.now
        store, till, number, date = sale
        self._receipts.append(
            (
                seq, identity, number, store, till, date, "", "", "", 0, State.HELD, 0.0,
                reason, None, document.name, record.place, now, now,
            )
        )  # fmt: skip
        self._bodies.append((seq, None, hashlib.sha256(raw).digest(), raw))
        self._add_event(seq, State.HELD, reason=reason, place=record.place)

    def _add_event(self, seq: int, state: State, **fields: str) -> None:
        if self.links.events:
            self._events += self.links.events
            self.links.events.clear()
        self._events.append((seq, None, self.now, "accept", state, _detail(tuple(fields.items()))))

    def insert(self) -> None:
        """Insert the rows that were added, with their contacts and events, and start again with none."""
        self.links.save()
        if self._receipts:
            self.transaction.executemany(_RECEIPT, self._receipts)
            # By the columns of _RECEIPT; to read the rows back cost 2 % of accepting them.
            added = [(row[10], "", row[12], row[3], row[4], row[16], row[2], row[6]) for row in self._receipts]
            counters.count_inserted(self.transaction, added)
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

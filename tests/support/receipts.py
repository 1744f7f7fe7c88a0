"""Receipts for tests, and how a journal accepts them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import attrs

from tillpost.journal import Accepted, Journal
from tillpost.model import (
    Broken,
    Customer,
    Document,
    Found,
    Identifier,
    Line,
    LineKind,
    NoReceipt,
    RawRef,
    Receipt,
    Tender,
    receipt_id,
)
from tillpost.model.receipt_json import dumps

DOCUMENT = Document.from_bytes("day.jsonl", b"a day")


def receipt(number: str = "1", price: str = "10.00", customer: str | None = "4711") -> Receipt:
    identity = receipt_id(store="12", till="1", business_date=date(2026, 11, 24), number=number)
    who = (
        Customer(identifiers=(Identifier("externalId", customer),), attributes={"firstName": "Eva"})
        if customer
        else None
    )
    return Receipt(
        id=identity,
        number=number,
        created=datetime.fromisoformat("2026-11-24T10:00:00+01:00"),
        business_date=date(2026, 11, 24),
        store="12",
        till="1",
        currency="SEK",
        total=Decimal(price),
        lines=(Line(kind=LineKind.PURCHASE, sku="a", quantity=Decimal(1), paid=Decimal(price)),),
        tenders=(Tender(type="card", amount=Decimal(price)),),
        raw=RawRef(sha256=DOCUMENT.sha256, document=DOCUMENT.name, place="line 1"),
        customer=who,
    )


def accept(journal: Journal, *parsed: Found | Broken | NoReceipt, now: float = 100.0) -> Accepted:
    counts = Accepted()
    journal.receipts.accept(parsed, DOCUMENT, None, now, counts)
    return counts


def found(**given: str | None) -> Found:
    return Found(receipt=receipt(**given), raw=b"{}")  # type: ignore[arg-type]


def receipt_of(number: int, **keys: str) -> Receipt:
    identifiers = tuple(Identifier(kind, value) for kind, value in keys.items())
    return attrs.evolve(receipt(number=str(number)), customer=Customer(identifiers=identifiers))


def document(receipts: list[Receipt]) -> bytes:
    return b"".join(dumps(each) + b"\n" for each in receipts)

"""Sales of one day for the reports."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.support.receipts import DOCUMENT
from tillpost.journal import Accepted, Journal, Move, State
from tillpost.model import (
    Customer,
    Found,
    Identifier,
    Line,
    LineKind,
    RawRef,
    Receipt,
    Tender,
    receipt_id,
)

ON = date(2026, 11, 23)


CENT = Decimal("0.01")


def sale(
    number: str, *paid: str, store: str = "12", till: str = "1", on: date = ON, tender: str = "card",
    percent: str = "25", customer: str | None = "4711", **more: Any,
) -> Receipt:  # fmt: skip
    """A receipt with a line for each price."""
    prices = [Decimal(each) for each in paid]
    total = sum(prices, Decimal(0))
    lines = tuple(
        Line(
            kind=LineKind.PURCHASE, sku="a", quantity=Decimal(1), paid=price, tax_percent=Decimal(percent),
            tax_amount=(price / 5).quantize(CENT),
        )
        for price in prices
    )  # fmt: skip
    values: dict[str, Any] = {
        "id": receipt_id(store=store, till=till, business_date=on, number=number), "number": number,
        "created": moment_of(on), "business_date": on, "store": store, "till": till, "currency": "SEK",
        "total": total, "lines": lines, "tenders": (Tender(type=tender, amount=total),),
        "raw": RawRef(sha256=DOCUMENT.sha256, document=DOCUMENT.name, place=f"line {number}"),
        "customer": Customer(identifiers=(Identifier("externalId", customer),)) if customer else None,
    }  # fmt: skip
    return Receipt(**values | more)


def moment_of(on: date) -> datetime:
    return datetime.fromisoformat(f"{on.isoformat()}T10:00:00+01:00")


NOON = moment_of(ON).timestamp() + 7200


def take(journal: Journal, *receipts: Any, now: float = NOON) -> None:
    records = [Found(receipt=each, raw=b"{}") if isinstance(each, Receipt) else each for each in receipts]
    journal.receipts.accept(records, DOCUMENT, None, now, Accepted())


def settle(journal: Journal, state: State, *numbers: str, **given: Any) -> None:
    for number in numbers:
        (row,) = journal.receipts.find({"number": number})
        journal.receipts.settle([(row.seq, Move(state=state, **given))], NOON, "x")

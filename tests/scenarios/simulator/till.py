"""The documents of a run, which the tills hand over more than once and out of order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

import attrs

from tillpost.model import Customer, Document, Identifier, Line, LineKind, RawRef, Receipt, Tender, receipt_id
from tillpost.model.receipt_json import dumps

_DAY = date(2026, 11, 24)
_OPENING = datetime.fromisoformat("2026-11-24T08:00:00+01:00")

PEOPLE: tuple[Mapping[str, str], ...] = (
    {"externalId": "4711"},
    {"email": "Eva+kund@Example.se"},
    {"externalId": "4712", "email": "nils@example.se"},
    {"mobilePhone": "+46701234567", "email": "åsa@example.se"},
    {"email": "nils@example.se"},
    {"externalId": "4713", "mobilePhone": "+46707654321"},
)
REGISTERED: tuple[Mapping[str, str], ...] = (
    {"email": "eva+kund@example.se"},
    {"email": "nils@example.se"},
    {"email": "åsa@example.se"},
    {"mobilePhone": "+46701234567"},
    {"mobilePhone": "+46707654321"},
    {"externalId": "4712"},
)
"""The keys with which people register at the web shop: some of those the tills know."""
ODD: tuple[Mapping[str, str], ...] = ({"memberNumber": "9001"}, {"email": "no-address"}, {})
"""An unknown number, an e-mail address that is not one, and no key at all."""


@attrs.frozen(kw_only=True)
class Day:
    """documents: in the order of the source. ids: of each document. odd: ids that may end as held or skipped.
    refusable: receipt numbers that Engage refuses for their content. records: how many each document has."""

    documents: tuple[Document, ...]
    ids: tuple[tuple[str, ...], ...]
    odd: frozenset[str]
    refusable: frozenset[str]

    @property
    def records(self) -> tuple[int, ...]:
        return tuple(len((document.content or b"").splitlines()) for document in self.documents)


def sale(number: int, keys: Mapping[str, str], *, price: str = "", name: str = "", day: date = _DAY) -> Receipt:
    """A receipt of one line, with a price of its own."""
    total = Decimal(price or f"{number}.50")
    customer = Customer(
        identifiers=tuple(Identifier(kind, value) for kind, value in keys.items()),
        attributes={"firstName": name} if name else {},
    )
    return Receipt(
        id=receipt_id(store="12", till="1", business_date=day, number=str(number)),
        number=str(number),
        created=_OPENING + timedelta(days=(day - _DAY).days, minutes=number % 600),
        business_date=day,
        store="12",
        till="1",
        currency="SEK",
        total=total,
        lines=(Line(kind=LineKind.PURCHASE, sku="a", quantity=Decimal(1), paid=total),),
        tenders=(Tender(type="card", amount=total),),
        raw=RawRef(sha256="0" * 64, document="day.jsonl"),
        customer=customer if keys else None,
    )


def day(random: Random) -> Day:
    """Three to six documents of one to three receipts; one receipt in ten is odd, one in twenty is refused."""
    documents, ids, odd, refusable = [], [], set[str](), set[str]()
    number = 0
    for index in range(random.randint(3, 6)):
        receipts = []
        for _ in range(random.randint(1, 3)):
            number += 1
            strange = random.random() < 0.1
            receipt = sale(
                number,
                random.choice(ODD if strange else PEOPLE),
                name=random.choice(("", "Eva", "Nils", "Åsa")),
            )
            if random.random() < 0.05:
                refusable.add(receipt.number)
                strange = True
            if strange:
                odd.add(receipt.id)
            receipts.append(receipt)
        documents.append(_document(index, receipts))
        ids.append(tuple(receipt.id for receipt in receipts))
    if random.random() < 0.2:
        # The till repeats a number for another sale: held, because Engage would ignore it silently.
        documents.append(_document(len(documents), [sale(1, PEOPLE[0], price="99.00")]))
        ids.append(())
    return Day(documents=tuple(documents), ids=tuple(ids), odd=frozenset(odd), refusable=frozenset(refusable))


def _document(index: int, receipts: list[Receipt]) -> Document:
    return Document.from_bytes(f"{index}.jsonl", b"".join(dumps(receipt) + b"\n" for receipt in receipts))

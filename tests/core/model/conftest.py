"""Any receipt the laws allow, as a Hypothesis strategy."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st

from tillpost.kit import minor_digits
from tillpost.model import (
    Customer,
    Discount,
    Identifier,
    Line,
    LineKind,
    Promotion,
    RawRef,
    Receipt,
    Tax,
    Tender,
    receipt_id,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
CENTS = st.integers(0, 10**7)
PAIRS = st.dictionaries(TEXT, TEXT, max_size=2)


@st.composite
def lines(draw: Any, digits: int) -> Line:
    kind = draw(st.sampled_from(LineKind))
    sign = {LineKind.PURCHASE: 1, LineKind.RETURN: -1}.get(kind, draw(st.sampled_from([1, -1])))
    paid = draw(CENTS)
    unit = Decimal(1).scaleb(-digits)
    return Line(
        kind=kind,
        sku=draw(WORD),
        quantity=sign * draw(st.decimals("0.001", "9999", places=3)),
        paid=sign * paid * unit,
        tax_amount=sign * draw(st.integers(0, paid)) * unit,
        tax_percent=draw(st.sampled_from([Decimal(0), Decimal(25), Decimal("10.129")])),
        article_number=draw(TEXT),
        article_name=draw(TEXT),
        discounts=tuple(
            draw(st.lists(st.builds(Discount, type=TEXT, value=CENTS.map(lambda c: -c * unit)), max_size=2))
        ),
        extra=draw(PAIRS),
    )


@st.composite
def receipts(draw: Any) -> Receipt:
    currency = draw(st.sampled_from(["SEK", "JPY", "KWD", "USD"]))
    digits = minor_digits(currency)
    made = draw(st.lists(lines(digits), max_size=4))
    total = sum((line.paid for line in made), Decimal(0))
    change = draw(CENTS) * Decimal(1).scaleb(-digits)
    offset = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    store, till, number = draw(WORD), draw(TEXT), draw(WORD)
    day = draw(st.dates(date(1990, 1, 1)))
    tax = draw(CENTS) * Decimal(1).scaleb(-digits)
    identifiers = st.builds(Identifier, st.sampled_from(["externalId", "email"]), WORD)
    return Receipt(
        id=receipt_id(store=store, till=till, business_date=day, number=number),
        number=number,
        created=draw(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(offset))),  # noqa: DTZ001
        business_date=day,
        store=store,
        till=till,
        currency=currency,
        total=total,
        lines=tuple(made),
        tenders=(Tender(type="cash", amount=total + change), Tender(type="cash", amount=-change, extra=draw(PAIRS))),
        taxes=(
            Tax(
                description=draw(TEXT),
                percent=Decimal("6"),
                amount=tax,
                including_tax=tax + 1,
                excluding_tax=Decimal(1),
            ),
        ),
        customer=draw(
            st.none() | st.builds(Customer, identifiers=st.lists(identifiers, max_size=2).map(tuple), attributes=PAIRS)
        ),
        vouchers=tuple(draw(st.lists(TEXT, max_size=2))),
        promotions=tuple(draw(st.lists(st.builds(Promotion, promotion_id=TEXT), max_size=1))),
        flags=tuple(draw(st.lists(TEXT, max_size=1))),
        extra=draw(PAIRS),
        raw=RawRef(sha256="0" * 64, document=draw(TEXT), place="line 1"),
    )


@pytest.fixture(scope="session")
def any_receipt() -> st.SearchStrategy[Receipt]:
    return receipts()


@pytest.fixture(scope="session")
def simple_receipt() -> Receipt:
    """Two lines, one of them a return, change, and a customer."""
    line = Line(kind=LineKind.PURCHASE, sku="A", quantity=Decimal(2), paid=Decimal("20.00"), tax_amount=Decimal(4))
    back = Line(kind=LineKind.RETURN, sku="B", quantity=Decimal(-1), paid=Decimal("-5.5"))
    return Receipt(
        id="1_2_2026-01-31_7",
        number="7",
        created=datetime(2026, 1, 31, 12, tzinfo=UTC),
        business_date=date(2026, 1, 31),
        store="1",
        till="2",
        currency="SEK",
        total=Decimal("14.50"),
        lines=(line, back),
        tenders=(Tender(type="cash", amount=Decimal(20)), Tender(type="cash", amount=Decimal("-5.50"))),
        customer=Customer(identifiers=(Identifier("email", "Secret.Person@example.com"),), attributes={"city": "Lund"}),
        raw=RawRef(sha256="0" * 64, document="d", place="line 1"),
    )

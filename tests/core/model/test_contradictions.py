"""A receipt whose own numbers contradict each other carries a flag, whichever adapter read it."""

from __future__ import annotations

from decimal import Decimal as D

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillpost.model import Line, LineKind, Receipt, Tax, Tender
from tillpost.model.contradictions import contradictions


def line(paid: str, tax: str, percent: str, quantity: str = "1") -> Line:
    kind = LineKind.RETURN if quantity.startswith("-") else LineKind.PURCHASE
    return Line(
        kind=kind, sku="A-1", quantity=D(quantity), paid=D(paid), tax_amount=D(tax), tax_percent=D(percent)
    )  # fmt: skip


def tax(percent: str, amount: str, base: str) -> Tax:
    whole = D(base) + D(amount)
    return Tax(description="VAT", percent=D(percent), amount=D(amount), excluding_tax=D(base), including_tax=whole)


def flags(receipt: Receipt, lines: tuple[Line, ...], taxes: tuple[Tax, ...] = (), currency: str = "SEK") -> list[str]:
    total = sum((each.paid for each in lines), D(0))
    tenders = (Tender(type="card", amount=total),)
    return list(
        contradictions(attrs.evolve(receipt, lines=lines, taxes=taxes, total=total, tenders=tenders, currency=currency))
    )


@pytest.mark.parametrize(
    ("lines", "taxes"),
    [
        ((line("125.00", "25.00", "25"),), (tax("25", "25.00", "100.00"),)),
        ((line("108.25", "8.25", "8.25"),), (tax("6.25", "6.25", "100.00"), tax("2", "2.00", "100.00"))),
        ((line("9.99", "1.60", "19"), line("-9.99", "-1.60", "19", "-1")), ()),
        (
            (line("10.00", "2.00", "25"), line("10.00", "1.07", "12")),
            (tax("25", "2.00", "8.00"), tax("12", "1.07", "8.93")),
        ),
        ((line("9.48", "1.56", "20", "12"),), ()),  # 0.79 a piece, and 0.13 in each
        ((line("10.00", "0", "0"),), (tax("25", "2.00", "8.00"),)),  # the lines say nothing of tax
        ((line("10.00", "2.00", "0"),), ()),  # an amount whose percentage the till does not say
    ],
)
def test_what_agrees_to_the_rounding_has_no_flag(
    simple_receipt: Receipt, lines: tuple[Line, ...], taxes: tuple[Tax, ...]
) -> None:
    assert flags(simple_receipt, lines, taxes) == []


@pytest.mark.parametrize(
    ("lines", "taxes", "flag"),
    [
        ((line("6.00", "1.00", "20"),), (tax("20", "1.00", "4.00"),), "tax-percent-off"),
        ((line("100.00", "25.00", "25"),), (), "tax-percent-off"),
        ((line("125.00", "0", "25"),), (), "tax-percent-off"),
        ((line("125.00", "50.00", "25"), line("125.00", "0.00", "25")), (), "tax-percent-off"),
        ((line("-125.00", "-20.00", "25", "-1"),), (), "tax-percent-off"),
        ((line("125.00", "25.00", "25"),), (tax("25", "12.00", "48.00"),), "tax-off"),
        ((line("125.00", "25.00", "25"),), (tax("25", "25.00", "100.00"), tax("12", "12.00", "100.00")), "tax-off"),
    ],
)
def test_a_tax_that_contradicts_the_lines_or_its_percentage_is_flagged(
    simple_receipt: Receipt, lines: tuple[Line, ...], taxes: tuple[Tax, ...], flag: str
) -> None:
    assert flags(simple_receipt, lines, taxes) == [flag]


@given(data=st.data())
def test_any_receipt_is_judged_and_its_flags_are_words(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject
) -> None:
    assert set(contradictions(data.draw(any_receipt))) <= {"tax-off", "tax-percent-off"}


def test_the_rounding_is_that_of_the_currency(simple_receipt: Receipt) -> None:
    assert flags(simple_receipt, (line("1100", "101", "10"),), currency="JPY") == []
    assert flags(simple_receipt, (line("1100.00", "101.00", "10"),)) == ["tax-percent-off"]

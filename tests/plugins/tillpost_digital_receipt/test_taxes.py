"""The laws of the tax in the lines, for any basket."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tillpost.kit import round_money
from tillpost.model import LineKind
from tillpost_digital_receipt.line_items import DraftLine
from tillpost_digital_receipt.taxes import TaxEntry, line_taxes, receipt_taxes

CENTS = st.integers(-100_000, 100_000).map(lambda cents: Decimal(cents) / 100)
RATES = st.sampled_from([Decimal(0), Decimal(6), Decimal(12), Decimal(25)])
BASKETS = st.lists(st.tuples(CENTS, RATES), min_size=1, max_size=30)


def _drafts(paid: list[Decimal]) -> list[DraftLine]:
    return [DraftLine(LineKind.ADJUSTMENT, "P", "", Decimal(1), value, str(place)) for place, value in enumerate(paid)]


def _stated(paid: list[Decimal], rates: list[Decimal]) -> list[TaxEntry]:
    """The taxes as a till sums them: of the sum by rate, rounded once, without a sign."""
    found = []
    for rate in sorted(set(rates)):
        gross = sum((value for value, own in zip(paid, rates, strict=True) if own == rate), Decimal(0))
        found.append(TaxEntry("VAT", rate, abs(round_money(gross * rate / (100 + rate), "SEK")), None))
    return found


@given(BASKETS)
def test_a_tax_is_a_part_of_its_line_and_never_more_than_two_cents_off_its_rate(
    basket: list[tuple[Decimal, Decimal]],
) -> None:
    paid, rates = [value for value, _ in basket], [rate for _, rate in basket]
    taxes = line_taxes(_drafts(paid), paid, rates, _stated(paid, rates), "SEK")
    for value, rate, tax in zip(paid, rates, taxes, strict=True):
        assert tax * value >= 0
        assert abs(tax) <= abs(value)
        assert abs(tax - value * rate / (100 + rate)) < Decimal("0.02")


@given(st.lists(st.tuples(CENTS.map(abs), RATES), min_size=1, max_size=30), st.booleans())
def test_the_taxes_of_the_lines_sum_to_what_the_till_summed(
    basket: list[tuple[Decimal, Decimal]], returned: bool
) -> None:
    sign = -1 if returned else 1
    paid, rates = [sign * value for value, _ in basket], [rate for _, rate in basket]
    entries = _stated(paid, rates)
    taxes = line_taxes(_drafts(paid), paid, rates, entries, "SEK")
    whole = receipt_taxes(paid, rates, taxes, entries)
    assert {tax.percent: tax.amount for tax in whole} == {
        rate: sum((tax for tax, own in zip(taxes, rates, strict=True) if own == rate), Decimal(0))
        for rate in set(rates)
    }
    assert all(tax.amount * sign >= 0 for tax in whole)

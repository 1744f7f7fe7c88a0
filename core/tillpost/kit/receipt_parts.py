"""Parts of a receipt that adapters make alike: kinds of lines, adjustments, shares of a discount, taxes, tenders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import attrs

from tillpost.errors import InvalidValue
from tillpost.kit.money import spread
from tillpost.model.contradictions import TAX_OFF as TAX_OFF
from tillpost.model.receipt import Discount, Line, LineKind, Tax, Tender

ZERO = Decimal(0)


def line_kind(quantity: Decimal, paid: Decimal) -> LineKind:
    """The kind of an article's line by its signs.

    A positive quantity with money back (a deposit handed back, a coupon) is an adjustment, not a return.
    """
    if quantity >= 0 and paid >= 0:
        return LineKind.PURCHASE
    return LineKind.RETURN if quantity < 0 and paid <= 0 else LineKind.ADJUSTMENT


def adjustment(sku: str, paid: Decimal, name: str) -> Line:
    """A line of money for no article, such as a rounding or a tip; `paid` is what it adds to the total."""
    return Line(kind=LineKind.ADJUSTMENT, sku=sku, quantity=Decimal(1), paid=paid, article_name=name)


def spread_discount(discount: Discount, amounts: Sequence[Decimal], currency: str, place: str) -> tuple[Discount, ...]:
    """A discount on the receipt as one discount a line, in proportion to the lines' amounts and to the minor unit.

    Raises InvalidValue, with `place`, when there is no line to carry it.
    """
    if not amounts:
        raise InvalidValue(f"no line can take the discount of {discount.value}", place=place)
    return tuple(attrs.evolve(discount, value=share) for share in spread(discount.value, amounts, currency))


def tax(description: str, percent: Decimal, amount: Decimal, base: Decimal) -> Tax:
    """A tax of the receipt, by its amount and by the amount it is on (without the tax)."""
    return Tax(description=description, percent=percent, amount=amount, including_tax=base + amount, excluding_tax=base)


def vat_of_lines(lines: Iterable[Line]) -> tuple[Tax, ...]:
    """One VAT a percentage, summed over the lines that have it; a line that costs nothing has none."""
    sums: dict[Decimal, tuple[Decimal, Decimal]] = {}
    for line in lines:
        if line.tax_amount or (line.tax_percent and line.paid):
            amount, base = sums.get(line.tax_percent, (ZERO, ZERO))
            sums[line.tax_percent] = (amount + line.tax_amount, base + line.paid - line.tax_amount)
    return tuple(tax("VAT", percent, amount, base) for percent, (amount, base) in sums.items())


def balanced_tenders(readings: Iterable[Sequence[Tender]], total: Decimal) -> tuple[Tender, ...] | None:
    """The first of the readings whose amounts sum to the total, without tenders of zero; None when none does."""
    for tenders in readings:
        if sum((tender.amount for tender in tenders), ZERO) == total:
            return tuple(tender for tender in tenders if tender.amount)
    return None


def negated(tenders: Iterable[Tender]) -> list[Tender]:
    """The tenders with opposite signs: some tills write what they hand back without a sign."""
    return [attrs.evolve(tender, amount=-tender.amount) for tender in tenders]

"""Tax elements, and what each is on: a flag is believed only where base and percentage give the amount."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import TAX_OFF, minor_digits, round_money
from tillpost.kit.xml import attribute, child, decimal, is_true, place, text

TAX_BASE_RECOMPUTED = "tax-base-recomputed"
"""The flag of a receipt with a tax whose base is not the one its record says."""


@attrs.frozen
class TaxEntry:
    """One Tax element: of a line, or of the whole transaction.

    amount: None where only the percentage is given. taxable: the base as the record says it, without the tax.
    otherwise: the base when it has the tax in it where it says that it has not, or the reverse. None when not given.
    """

    name: str
    number: str
    amount: Decimal | None
    percent: Decimal | None
    taxable: Decimal | None
    otherwise: Decimal | None = None

    @property
    def value(self) -> Decimal:
        """The amount; zero where it is still to be reckoned."""
        return self.amount or _ZERO

    def reckoned(self, net: Decimal, placement: str, currency: str) -> TaxEntry:
        """With the amount that its percentage gives on lines of this sum, which has the tax in it or not.

        A base that is given counts where it is another one than that of the lines (only a part of them is taxed).
        """
        if self.amount is not None or self.percent is None:
            return self
        whole = 100 + self.percent if placement == "included" else Decimal(100)
        amount = round_money(net * self.percent / whole, currency)
        if self.taxable is not None and self.taxable not in (net, net - amount):
            amount = round_money(self.taxable * self.percent / 100, currency)
        return attrs.evolve(self, amount=amount)


_ZERO, _CENT = Decimal(0), Decimal("0.01")


def _name(tax: _Element) -> str:
    """What the tax is called: a description, else the first of authority, type and group that has a letter."""
    if described := attribute(tax, "TaxDescription"):
        return described
    first = ""
    for written in _called(tax):
        name = written.rpartition(":")[2]
        if any(map(str.isalpha, name)):
            return name
        first = first or name
    return first or "tax"


def _called(tax: _Element) -> Iterator[str]:
    yield text(tax, "TaxAuthority")
    yield attribute(tax, "TaxType")
    yield text(tax, "TaxGroupID")


def _as_percentage(rate: Decimal, taxable: Decimal, value: Decimal) -> Decimal:
    """A rate such as 0.25 as the percentage, where only so it gives the amount."""
    for base in (taxable, taxable - value):
        if abs(base * rate - value) < _CENT < abs(base * rate / 100 - value):
            return rate * 100
    return rate


def tax_entry(tax: _Element, sign: int) -> TaxEntry:
    """A Tax element, its amount and base with the sign of the line.

    Raises InvalidValue when it has neither an amount nor a percentage.
    """
    value, percent, taxable = decimal(tax, "Amount"), decimal(tax, "Percent"), decimal(tax, "TaxableAmount")
    if value is None and percent is None:
        raise InvalidValue("has neither Amount nor Percent", place=place(tax))
    if value and percent is not None and taxable is not None and 0 < percent < 1:
        percent = _as_percentage(percent, abs(taxable), abs(value))
    base, otherwise = child(tax, "TaxableAmount") if taxable is not None else None, None
    if taxable is not None and base is not None and value is not None:
        otherwise = abs(taxable) - abs(value)
        if is_true(base, "TaxIncludedInTaxableAmountFlag"):
            taxable, otherwise = otherwise, abs(taxable)
    if sign < 0:
        value = None if value is None else -abs(value)
        taxable = None if taxable is None else -abs(taxable)
        otherwise = None if otherwise is None else -abs(otherwise)
    return TaxEntry(_name(tax), attribute(tax, "TaxID"), value, percent, taxable, otherwise)


def tax_base(entry: TaxEntry, of_lines: Decimal, currency: str, lines: int) -> tuple[Decimal, str]:
    """What the tax is on, without it, and a flag where the record says another base or none that gives the amount.

    of_lines: the sum of the lines it is on; lines: how many, each of which may be rounded.
    """
    said = entry.taxable
    if said is None or said == of_lines:
        return of_lines, ""
    unit = Decimal(1).scaleb(-minor_digits(currency)) * lines
    if entry.percent is None:
        return (of_lines, TAX_BASE_RECOMPUTED) if entry.otherwise == of_lines else (said, "")

    def gives_amount(base: Decimal) -> bool:
        assert entry.percent is not None
        return abs(base * entry.percent / 100 - entry.value) <= unit

    if gives_amount(said):
        return said, ""
    for base in (entry.otherwise, of_lines):
        if base is not None and gives_amount(base):
            return base, TAX_BASE_RECOMPUTED
    return said, TAX_OFF

"""VAT: what the receipt sums by rate, and each line's part of it. Prices have it in them, as Swedish law wants."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost.kit import minor_digits, round_money
from tillpost.kit.xml import amount, child, children, decimal, is_true, text
from tillpost.model import Tax
from tillpost_digital_receipt.items import Draft, counts

ZERO = Decimal(0)
TAX_OFF = "tax-off"
"""The flag of a receipt whose taxes as the till summed them are not those of its lines."""


@attrs.frozen
class TaxEntry:
    """A Tax line item, as written: without a sign. `base` excludes the tax; None when it is not given."""

    name: str
    percent: Decimal | None
    amount: Decimal
    base: Decimal | None


def read_taxes(retail: _Element) -> list[TaxEntry]:
    """The taxes of the receipt."""
    return [_entry(tax) for item in children(retail, "LineItem") if counts(item) for tax in children(item, "Tax")]


def _entry(tax: _Element) -> TaxEntry:
    value, base = abs(amount(tax, "Amount")), decimal(tax, "TaxableAmount")
    held = child(tax, "TaxableAmount")
    if base is not None:
        with_tax = held is not None and is_true(held, "TaxIncludedInTaxableAmountFlag")
        base = abs(base) - value if with_tax else abs(base)
    name = text(tax, "TaxGroupID") or text(tax, "TaxAuthority") or "VAT"
    return TaxEntry(name, decimal(tax, "Percent"), value, base)


def percents(drafts: Sequence[Draft], entries: Sequence[TaxEntry]) -> list[Decimal]:
    """The rate of each line: its own, else the only one there is."""
    rates = {entry.percent for entry in entries if entry.percent is not None}
    only = next(iter(rates)) if len(rates) == 1 else ZERO
    return [draft.percent if draft.percent is not None else only for draft in drafts]


def line_taxes(
    drafts: Sequence[Draft],
    paid: Sequence[Decimal],
    rates: Sequence[Decimal],
    entries: Sequence[TaxEntry],
    currency: str,
) -> list[Decimal]:
    """The tax in each line, the cents of a rate given out so that they sum to what the till summed.

    Where more than rounding lies between the two, the lines keep the tax of their rate.
    """
    exact = [value * rate / (100 + rate) for value, rate in zip(paid, rates, strict=True)]
    taxes = [
        round_money(value, currency) if draft.tax is None else draft.tax
        for draft, value in zip(drafts, exact, strict=True)
    ]
    stated: dict[Decimal | None, Decimal] = {}
    for entry in entries:
        stated[entry.percent] = stated.get(entry.percent, ZERO) + entry.amount
    by_rate: dict[Decimal, list[int]] = {}
    for index, rate in enumerate(rates):
        by_rate.setdefault(rate, []).append(index)
    unit = Decimal(1).scaleb(-minor_digits(currency))
    for rate, group in by_rate.items():
        if rate not in stated or any(drafts[index].tax is not None for index in group):
            continue
        on = [index for index in group if paid[index]]
        sign = -1 if sum((paid[index] for index in on), ZERO) < 0 else 1
        left = int((sign * stated[rate] - sum((taxes[index] for index in on), ZERO)) / unit)
        if abs(left) > len(on):
            continue
        step = unit if left > 0 else -unit
        # To those first that rounding moved furthest the other way; a line's tax stays a part of its price.
        for index in sorted(on, key=lambda index: (taxes[index] - exact[index]) * step):
            moved = taxes[index] + step
            if left and moved * paid[index] >= 0 and abs(moved) <= abs(paid[index]):
                taxes[index] = moved
                left -= 1 if left > 0 else -1
    return taxes


def summed(
    paid: Sequence[Decimal], rates: Sequence[Decimal], taxes: Sequence[Decimal], entries: Sequence[TaxEntry]
) -> tuple[Tax, ...]:
    """The taxes of the receipt, signed as its lines are; those of the lines where the till sums none."""
    sums: dict[Decimal, tuple[Decimal, Decimal]] = {}
    for value, rate, tax in zip(paid, rates, taxes, strict=True):
        before = sums.get(rate, (ZERO, ZERO))
        sums[rate] = (before[0] + tax, before[1] + value - tax)
    if not entries:
        return tuple(_tax("VAT", rate, tax, base) for rate, (tax, base) in sums.items() if tax)
    whole = sum(paid, ZERO)
    found = []
    for entry in entries:
        rate = ZERO if entry.percent is None else entry.percent
        tax, base = sums.get(rate, (ZERO, ZERO))
        sign = -1 if (base + tax or whole) < 0 else 1
        found.append(_tax(entry.name, rate, sign * entry.amount, base if entry.base is None else sign * entry.base))
    return tuple(found)


def _tax(name: str, percent: Decimal, value: Decimal, base: Decimal) -> Tax:
    return Tax(description=name, percent=percent, amount=value, including_tax=base + value, excluding_tax=base)

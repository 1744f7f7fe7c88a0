"""VAT: the sums of the receipt by rate, and each line's share. Swedish prices include it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost.kit import ZERO, minor_digits, round_money, tax
from tillpost.kit.xml import amount, child, children, decimal, is_true, text
from tillpost.model import Tax
from tillpost_digital_receipt.line_items import DraftLine, is_voided


@attrs.frozen
class TaxEntry:
    """A Tax line item, as written: without a sign. `base` excludes the tax; None when it is not given."""

    name: str
    percent: Decimal | None
    amount: Decimal
    base: Decimal | None


def read_taxes(retail: _Element) -> list[TaxEntry]:
    """The taxes of the receipt."""
    return [
        _entry(element)
        for item in children(retail, "LineItem")
        if not is_voided(item)
        for element in children(item, "Tax")
    ]


def _entry(element: _Element) -> TaxEntry:
    value, base = abs(amount(element, "Amount")), decimal(element, "TaxableAmount")
    taxable = child(element, "TaxableAmount")
    if base is not None:
        with_tax = taxable is not None and is_true(taxable, "TaxIncludedInTaxableAmountFlag")
        base = abs(base) - value if with_tax else abs(base)
    name = text(element, "TaxGroupID") or text(element, "TaxAuthority") or "VAT"
    return TaxEntry(name, decimal(element, "Percent"), value, base)


def line_percents(drafts: Sequence[DraftLine], entries: Sequence[TaxEntry]) -> list[Decimal]:
    """The rate of each line: its own, else the only rate of the receipt, else 0."""
    rates = {entry.percent for entry in entries if entry.percent is not None}
    default = next(iter(rates)) if len(rates) == 1 else ZERO
    return [draft.percent if draft.percent is not None else default for draft in drafts]


def line_taxes(
    drafts: Sequence[DraftLine],
    paid: Sequence[Decimal],
    rates: Sequence[Decimal],
    entries: Sequence[TaxEntry],
    currency: str,
) -> list[Decimal]:
    """The tax in each line, adjusted by minor units so that the lines of a rate sum to the till's tax of that rate.

    Where the difference is more than rounding, the lines keep the tax by their rate.
    """
    exact = [value * rate / (100 + rate) for value, rate in zip(paid, rates, strict=True)]
    taxes = [
        round_money(value if draft.tax is None else draft.tax, currency)
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
        priced = [index for index in group if paid[index]]
        sign = -1 if sum((paid[index] for index in priced), ZERO) < 0 else 1
        left = int((sign * stated[rate] - sum((taxes[index] for index in priced), ZERO)) / unit)
        if abs(left) > len(priced):
            continue
        step = unit if left > 0 else -unit
        # First the lines that rounding moved furthest the other way; a line's tax stays a part of its price.
        for index in sorted(priced, key=lambda index: (taxes[index] - exact[index]) * step):
            moved = taxes[index] + step
            if left and moved * paid[index] >= 0 and abs(moved) <= abs(paid[index]):
                taxes[index] = moved
                left -= 1 if left > 0 else -1
    return taxes


def receipt_taxes(
    paid: Sequence[Decimal], rates: Sequence[Decimal], taxes: Sequence[Decimal], entries: Sequence[TaxEntry]
) -> tuple[Tax, ...]:
    """The taxes of the receipt with the sign of its lines; the sums of the lines where the till has none."""
    sums: dict[Decimal, tuple[Decimal, Decimal]] = {}
    for value, rate, share in zip(paid, rates, taxes, strict=True):
        amount_before, base_before = sums.get(rate, (ZERO, ZERO))
        sums[rate] = (amount_before + share, base_before + value - share)
    if not entries:
        return tuple(tax("VAT", rate, share, base) for rate, (share, base) in sums.items() if share)
    whole = sum(paid, ZERO)
    found = []
    for entry in entries:
        rate = ZERO if entry.percent is None else entry.percent
        share, base = sums.get(rate, (ZERO, ZERO))
        sign = -1 if (base + share or whole) < 0 else 1
        found.append(tax(entry.name, rate, sign * entry.amount, base if entry.base is None else sign * entry.base))
    return tuple(found)

"""Sums of receipts: by currency, tender and tax rate, added one receipt at a time."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import attrs

from tillpost.model import Receipt
from tillpost.reports.till_totals import rate

_ZERO = Decimal(0)


@attrs.define
class Sum:
    """A number of receipts and their amounts, tax included. tax: the tax in them, where it is known."""

    count: int = 0
    total: Decimal = _ZERO
    tax: Decimal = _ZERO

    def add(self, amount: Decimal, tax: Decimal = _ZERO) -> None:
        """One receipt more."""
        self.count += 1
        self.total += amount
        self.tax += tax

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.count + other.count, self.total + other.total, self.tax + other.tax)


def _sums() -> defaultdict[str, Sum]:
    return defaultdict(Sum)


@attrs.define(kw_only=True)
class Sums:
    """The receipts of a till's day in one currency, and where they stand.

    stages: `recorded` is all of them; each is also either `skipped`, `delivered` or `undelivered` (held among them).
    confirmed: the delivered by how they are known to be: `accepted_by_api`, or `verified` in the contact's history.
    tenders, taxes: what each has of the recorded; "" has what no tender or tax names, and what cannot be read.
    """

    stages: defaultdict[str, Sum] = attrs.field(factory=_sums)
    confirmed: defaultdict[str, Sum] = attrs.field(factory=_sums)
    tenders: defaultdict[str, Sum] = attrs.field(factory=_sums)
    taxes: defaultdict[str, Sum] = attrs.field(factory=_sums)

    def merge(self, other: Sums) -> None:
        """Add those of another till."""
        for name in ("stages", "confirmed", "tenders", "taxes"):
            own = getattr(self, name)
            for key, value in getattr(other, name).items():
                own[key] = own[key] + value


def by_tender(receipt: Receipt) -> dict[str, Decimal]:
    """What was paid by each means; together they are the receipt's total, as every receipt's are."""
    found: dict[str, Decimal] = {}
    for tender in receipt.tenders:
        found[tender.type] = found.get(tender.type, _ZERO) + tender.amount
    return found


def by_tax(receipt: Receipt) -> dict[str, tuple[Decimal, Decimal]]:
    """Rate → what was sold at it, tax included, and the tax in it.

    The till's own taxes where it printed some, else those of the lines. What they leave of the total is under "", so
    together they are always the receipt's total.
    """
    found: dict[str, tuple[Decimal, Decimal]] = {}
    amounts = [(tax.percent, tax.including_tax, tax.amount) for tax in receipt.taxes] or [
        (line.tax_percent, line.paid, line.tax_amount) for line in receipt.lines
    ]
    for percent, gross, tax in amounts:
        before = found.get(rate(percent), (_ZERO, _ZERO))
        found[rate(percent)] = before[0] + gross, before[1] + tax
    if left := receipt.total - sum((gross for gross, _ in found.values()), _ZERO):
        found[""] = left, _ZERO
    return found

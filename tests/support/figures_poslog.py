"""Figures of a POSLog, taken by lxml alone."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from lxml import etree

_ARTS = "{http://www.nrf-arts.org/IXRetail/namespace/}"
Sums = dict[tuple[str, str], Decimal]


class PoslogFigures:
    """Counts of a file, and what its retail transactions come to by business day: total, tenders, taxes by rate."""

    def __init__(self, path: Path) -> None:
        self.transactions = self.retail = 0
        self.by_day: dict[str, Decimal] = defaultdict(Decimal)
        self.by_tender: Sums = defaultdict(Decimal)
        self.by_rate: Sums = defaultdict(Decimal)
        for transaction in etree.parse(path).getroot().iter(f"{_ARTS}Transaction"):
            self.transactions += 1
            if transaction.find(f"{_ARTS}RetailTransaction") is None:
                continue
            self.retail += 1
            day = transaction.findtext(f"{_ARTS}BusinessDayDate") or ""
            for total in transaction.iter(f"{_ARTS}Total"):
                if total.get("TotalType") == "TransactionGrandAmount":
                    self.by_day[day] += Decimal(total.text or "")
            for tender in transaction.iter(f"{_ARTS}Tender"):
                self.by_tender[day, tender.get("TenderType", "")] += _amount(tender)
            for tax in transaction.iter(f"{_ARTS}Tax"):
                self.by_rate[day, tax.findtext(f"{_ARTS}Percent") or ""] += _amount(tax)


def _amount(element: etree._Element) -> Decimal:
    return Decimal(element.findtext(f"{_ARTS}Amount") or "")

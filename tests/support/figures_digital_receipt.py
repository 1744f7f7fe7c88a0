"""Figures of a digital receipt, taken by lxml alone."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from lxml import etree

_ARTS = "{http://www.nrf-arts.org/IXRetail/namespace/}"


class DigitalReceiptFigures:
    """Sums of the one Transaction of a file, signed as a return where it is one."""

    def __init__(self, source: Path | bytes) -> None:
        root = etree.fromstring(source if isinstance(source, bytes) else source.read_bytes())
        [transaction] = root.iter(f"{_ARTS}Transaction")
        self.sign = -1 if transaction.get("TypeCode") == "ReturnTransaction" else 1
        self.day = (transaction.findtext(f"{_ARTS}ReceiptDateTime") or "")[:10]
        grand, net = (
            next((each.text for each in root.iter(f"{_ARTS}Total") if each.get("TotalType") == kind), None)
            for kind in ("TransactionGrandAmount", "TransactionNetAmount")
        )
        self.total = self.sign * Decimal(grand or "")
        self.net = None if net is None else Decimal(net)
        self.lines = Decimal(0)
        self.items = 0
        for amount in root.iter(f"{_ARTS}ExtendedAmount"):
            subtract = -1 if amount.get("Action") == "Subtract" else 1
            self.lines += self.sign * subtract * Decimal(amount.text or "")
            self.items += 1
        self.discounts = -sum(
            (Decimal(each.text or "") for each in root.iter(f"{_ARTS}ExtendedDiscountAmount")), Decimal(0)
        )
        self.by_tender: dict[str | None, Decimal] = defaultdict(Decimal)
        for tender in root.iter(f"{_ARTS}Tender"):
            self.by_tender[tender.get("TenderType")] += self.sign * Decimal(tender.findtext(f"{_ARTS}Amount") or "")
        self.by_rate: dict[Decimal, Decimal] = {}
        for item in root.iter(f"{_ARTS}LineItem"):
            for tax in item.findall(f"{_ARTS}Tax"):
                rate = Decimal(tax.findtext(f"{_ARTS}Percent") or "")
                self.by_rate[rate] = self.sign * Decimal(tax.findtext(f"{_ARTS}Amount") or "")

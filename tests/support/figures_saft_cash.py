"""Figures of a SAF-T Cash Register file, taken by lxml alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

from lxml import etree

_SPACE = "{urn:StandardAuditFile-Taxation-CashRegister:NO}"


class SaftFigures:
    """Counts and sums of the cashtransactions that are sales or returns, by the codes the file explains itself."""

    def __init__(self, path: Path) -> None:
        root = etree.parse(path).getroot()
        codes = {}
        for basic in root.iter(f"{_SPACE}basic"):
            kind, own = basic.findtext(f"{_SPACE}basicType"), basic.findtext(f"{_SPACE}basicID")
            codes[kind, own] = basic.findtext(f"{_SPACE}predefinedBasicID")
        self.events = Counter(
            codes["13", event.findtext(f"{_SPACE}eventType")] for event in root.iter(f"{_SPACE}event")
        )
        self.totals: dict[str, Decimal] = {}
        self.by_day: dict[str, Decimal] = defaultdict(Decimal)
        self.by_tender: dict[str | None, Decimal] = defaultdict(Decimal)
        self.by_rate: dict[Decimal, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
        self.quantities: dict[str | None, Decimal] = defaultdict(Decimal)
        self.rounded = Decimal(0)
        for transaction in root.iter(f"{_SPACE}cashtransaction"):
            rounding = self._amount(transaction.find(f"{_SPACE}rounding"), "roundingAmnt")
            total = self._amount(transaction, "transAmntIn") + rounding
            self.rounded += rounding
            self.totals[transaction.findtext(f"{_SPACE}transID") or ""] = total
            self.by_day[transaction.findtext(f"{_SPACE}transDate") or ""] += total
            for payment in transaction.findall(f"{_SPACE}payment"):
                code = codes["12", payment.findtext(f"{_SPACE}paymentType")]
                self.by_tender[code] += self._amount(payment, "paidAmnt")
            for vat in transaction.findall(f"{_SPACE}vat"):
                rate = self._amount(vat, "vatPerc")
                tax, base = self.by_rate[rate]
                self.by_rate[rate] = (tax + self._amount(vat, "vatAmnt"), base + self._amount(vat, "vatBasAmnt"))
            for line in transaction.findall(f"{_SPACE}ctLine"):
                self.quantities[line.findtext(f"{_SPACE}artID")] += self._amount(line, "qnt")
        report = next(root.iter(f"{_SPACE}eventReport"))
        self.z_sales_net = self._amount(report, "reportGrandTotalSalesNet")
        self.z_payments = {
            codes["12", each.findtext(f"{_SPACE}paymentType")]: self._amount(each, "paymentAmnt")
            for each in report.iter(f"{_SPACE}reportPayment")
        }

    @staticmethod
    def _amount(element: etree._Element | None, name: str) -> Decimal:
        written = element.findtext(f"{_SPACE}{name}") if element is not None else None
        return Decimal(written or "0")

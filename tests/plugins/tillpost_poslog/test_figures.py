"""Both files of the real store, day by day, against sums taken by lxml alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.support.exports import export
from tests.support.figures_poslog import PoslogFigures, Sums
from tillpost.model import Found, NoReceipt, Parsed

TYPES = {"CreditDebit": "card", "Cash": "cash"}


@pytest.mark.parametrize(("name", "transactions", "retail"), [("POSLog.xml", 51, 42), ("SMALL.xml", 2, 1)])
def test_counts_and_sums_by_day_tender_and_rate_agree_to_the_cent(
    parse: Callable[..., list[Parsed]], name: str, transactions: int, retail: int
) -> None:
    path = export("poslog-ncr-acs", name)
    figures = PoslogFigures(path)
    assert (figures.transactions, figures.retail) == (transactions, retail)
    parsed = parse(path)
    receipts = [record.receipt for record in parsed if isinstance(record, Found)]
    assert len(receipts) == figures.retail
    assert sum(isinstance(record, NoReceipt) for record in parsed) == figures.transactions - figures.retail
    by_day: dict[str, Decimal] = defaultdict(Decimal)
    tenders: Sums = defaultdict(Decimal)
    rates: Sums = defaultdict(Decimal)
    for receipt in receipts:
        day = receipt.business_date.isoformat()
        by_day[day] += receipt.total
        for tender in receipt.tenders:
            tenders[day, tender.type] += tender.amount
        for tax in receipt.taxes:
            rates[day, f"{tax.percent:.3f}"] += tax.amount
    assert by_day == figures.by_day
    assert tenders == {(day, TYPES[kind]): amount for (day, kind), amount in figures.by_tender.items()}
    assert rates == figures.by_rate

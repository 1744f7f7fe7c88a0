"""Purchases a client library ships, edited by its author: what is off is said to the cent, by figures of json alone."""

import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import tillpost_zettle
from tests.support.adapter import parse, receipt
from tests.support.exports import export
from tillpost.model import Broken

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def off(purchase: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """How far rows and payments are from the amount, in units of the currency."""
    rows = sum(Decimal(row["quantity"]) * row["unitPrice"] for row in purchase["products"])
    payments = sum(payment["amount"] for payment in purchase["payments"])
    return (rows - purchase["amount"]) / 100, Decimal(payments - purchase["amount"]) / 100


def test_each_purchase_is_held_with_what_it_is_off_by() -> None:
    purchases = json.loads(export("zettle", "getPurchaseHistory.json").read_bytes())["purchases"]
    parsed = parse(tillpost_zettle.plugin, export("zettle", "getPurchaseHistory.json"), timezone=AMSTERDAM)
    assert len(parsed) == len(purchases) == 3
    figures = [off(purchase) for purchase in purchases]
    assert figures == [
        (Decimal("2.50"), Decimal(0)),
        (Decimal(0), Decimal("3.50")),
        (Decimal("-0.14"), Decimal(0)),
    ]
    for broken, purchase, (rows, payments) in zip(parsed, purchases, figures, strict=True):
        assert isinstance(broken, Broken)
        law = "lines sum to" if rows else "tenders sum to"
        assert law in broken.reason
        assert f"(difference {rows or payments:.2f})" in broken.reason
        assert broken.number == str(purchase["purchaseNumber"])
        assert json.loads(broken.raw) == purchase


def test_a_purchase_alone_is_the_same() -> None:
    [broken] = parse(tillpost_zettle.plugin, export("zettle", "getPurchase.json"), timezone=AMSTERDAM)
    assert isinstance(broken, Broken)
    assert "(difference 2.50)" in broken.reason


def test_with_amounts_mended_they_agree_in_every_sum() -> None:
    history = json.loads(export("zettle", "getPurchaseHistory.json").read_bytes())
    for purchase in history["purchases"]:
        [row], [payment] = purchase["products"], purchase["payments"]
        purchase["amount"] = payment["amount"] = int(Decimal(row["quantity"]) * row["unitPrice"])
    parsed = parse(tillpost_zettle.plugin, json.dumps(history).encode(), timezone=AMSTERDAM)
    results = [receipt(record) for record in parsed]
    assert sum(result.total for result in results) == Decimal("12.50") + Decimal("1.50") + Decimal("2.36")
    tenders: dict[str, Decimal] = {}
    for tender in (tender for result in results for tender in result.tenders):
        tenders[tender.type] = tenders.get(tender.type, Decimal(0)) + tender.amount
    assert tenders == {"card": Decimal("14.00"), "cash": Decimal("2.36")}
    # The second purchase names 0.08 of VAT; six per cent inside 1.50 are 0.08.
    vat = [sum(line.tax_amount for line in result.lines) for result in results]
    assert vat == [Decimal("0.71"), Decimal("0.08"), Decimal("0.13")]
    assert [result.business_date.isoformat() for result in results] == [
        purchase["timestamp"][:10] for purchase in history["purchases"]
    ]
    assert {result.store for result in results} == {str(history["purchases"][0]["organizationId"])}

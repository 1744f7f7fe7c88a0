"""Square's published answers: a paid order agrees to the cent, and every other answer has its reason."""

from __future__ import annotations

import json
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

import tillpost_square
from tests.support.adapter import parse
from tests.support.exports import export
from tillpost.model import Broken, Found, NoReceipt, Parsed


def read(name: str) -> list[Parsed]:
    return parse(tillpost_square.plugin, export("square", name), timezone=ZoneInfo("America/New_York"))


def test_a_paid_order_of_square_is_a_receipt() -> None:
    [found] = read("PayOrderResponse.example.json")
    assert isinstance(found, Found)
    receipt = found.receipt
    order = json.loads(export("square", "PayOrderResponse.example.json").read_bytes())["order"]
    cents = {
        "total": order["total_money"]["amount"],
        "tax": order["total_tax_money"]["amount"],
        "lines": sum(line["total_money"]["amount"] for line in order["line_items"]),
        "CARD": sum(tender["amount_money"]["amount"] for tender in order["tenders"] if tender["type"] == "CARD"),
    }
    assert {name: Decimal(amount) / 100 for name, amount in cents.items()} == {
        "total": receipt.total,
        "tax": sum(line.tax_amount for line in receipt.lines),
        "lines": sum(line.paid for line in receipt.lines),
        "CARD": sum(tender.amount for tender in receipt.tenders if tender.type == "card"),
    }
    assert (receipt.total, receipt.currency, receipt.store) == (Decimal("20.00"), "USD", "P3CCK6HSNDAS7")
    assert [(line.quantity, line.paid) for line in receipt.lines] == [
        (Decimal(1), Decimal("5.00")),
        (Decimal(2), Decimal("15.00")),
    ]
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [("card", Decimal("10.00"))] * 2
    assert receipt.created.isoformat() == "2019-08-05T22:47:37.140000-04:00"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("CalculateOrderResponse", "suspended: not paid yet"),
        ("CloneOrderResponse", "suspended: not paid yet"),
        ("CreateOrderResponse", "suspended: not paid yet"),
        ("RetrieveOrderResponse", "suspended: not paid yet"),
        ("UpdateOrderResponse", "suspended: not paid yet"),
        ("CompletePaymentResponse", "a payment without its order"),
        ("GetPaymentResponse", "a payment without its order"),
        ("ListPaymentsResponse", "a payment without its order"),
        ("ListPaymentRefundsResponse", "a refund without its order"),
        ("RefundPaymentResponse", "a refund without its order"),
        ("SearchOrdersResponse", "an answer without orders: it has their ids only; ask with return_entries false"),
    ],
)
def test_an_answer_without_a_paid_order_has_its_reason(name: str, reason: str) -> None:
    [record] = read(f"{name}.example.json")
    assert isinstance(record, NoReceipt)
    assert (record.reason, record.retail) == (reason, True)


def test_an_order_without_a_time_is_held_with_what_is_missing() -> None:
    [record] = read("BatchRetrieveOrdersResponse.example.json")
    assert isinstance(record, Broken)
    assert record.reason == "line 1.orders[0]: key 'created_at' is missing"


def test_every_answer_of_square_is_in_this_test() -> None:
    assert len(list(export("square").glob("*.example.json"))) == 13

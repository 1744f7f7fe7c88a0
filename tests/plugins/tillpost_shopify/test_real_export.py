"""Shopify's own fixtures, against figures taken by json alone, without the adapter."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tillpost_shopify
from tests.support.adapter import parse, receipt
from tests.support.exports import export
from tillpost.model import Broken, NoReceipt, Parsed


def given(name: str) -> Any:
    return json.loads(export("shopify", name).read_bytes(), parse_float=Decimal)


def read(source: Path | Any, **settings: Any) -> list[Parsed]:
    content = source if isinstance(source, Path) else json.dumps(source, default=str).encode()
    return parse(tillpost_shopify.plugin, content, store="web", **settings)


def figures(order: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """What the lines come to, and the taxes."""
    goods = sum(Decimal(item["price"]) * item["quantity"] for item in order["line_items"])
    shipping = sum(Decimal(line["price"]) for line in order["shipping_lines"])
    return Decimal(goods + shipping), Decimal(sum(Decimal(tax["price"]) for tax in order["tax_lines"]))


def test_an_order_whose_payment_is_only_authorised_is_skipped() -> None:
    [only] = read(export("shopify", "order.json"))
    assert isinstance(only, NoReceipt)
    assert only.reason == f"payment {given('order.json')['order']['financial_status']!r}"


def test_an_order_that_does_not_add_up_is_held_with_the_difference() -> None:
    order = given("order.json")["order"]
    goods, taxes = figures(order)
    off = goods + taxes - Decimal(order["total_price"])
    assert off == Decimal("199.00")
    [broken] = read(export("shopify", "order.json"), financial_status=("authorized",))
    assert isinstance(broken, Broken)
    assert f"(difference {off})" in broken.reason


def test_the_order_with_its_total_mended_agrees_in_every_sum() -> None:
    order = given("order.json")["order"]
    goods, taxes = figures(order)
    order["total_price"] = str(goods + taxes)
    [parsed] = read({"order": order}, financial_status=("authorized",))
    result = receipt(parsed)
    assert result.total == sum(tender.amount for tender in result.tenders) == goods + taxes == Decimal("608.94")
    assert sum(line.tax_amount for line in result.lines) == sum(tax.amount for tax in result.taxes) == taxes
    assert [line.paid - line.tax_amount for line in result.lines] == [Decimal(i["price"]) for i in order["line_items"]]
    assert result.business_date.isoformat() == order["created_at"][:10]
    assert result.tenders[0].type == "card"
    assert result.tenders[0].description == order["gateway"]
    assert result.customer is not None


def test_the_list_of_orders_has_one_without_its_lines() -> None:
    [order] = given("orders.json")["orders"]
    assert "line_items" not in order
    [broken] = read(export("shopify", "orders.json"))
    assert isinstance(broken, Broken)
    assert "key 'line_items' is missing" in broken.reason
    assert broken.number == str(order["id"])


def test_a_refund_that_does_not_add_up_is_held_with_the_difference() -> None:
    refund = given("refund.json")["refund"]
    lines = sum(
        Decimal(entry["line_item"]["price"]) + sum(Decimal(tax["price"]) for tax in entry["line_item"]["tax_lines"])
        for entry in refund["refund_line_items"]
        if entry["quantity"] == entry["line_item"]["quantity"] == 1
    )
    moved = sum(Decimal(transaction["amount"]) for transaction in refund["transactions"])
    assert (lines, moved) == (Decimal("405.96"), Decimal("209.00"))
    [broken] = read(export("shopify", "refund.json"))
    assert isinstance(broken, Broken)
    assert f"(difference {moved - lines})" in broken.reason
    refund["transactions"][0]["amount"] = str(lines)
    [parsed] = read({"refund": refund})
    result = receipt(parsed)
    assert result.total == -lines
    assert [line.quantity for line in result.lines] == [-1, -1]
    assert {line.extra["originalReceipt"] for line in result.lines} == {str(refund["order_id"])}
    taxes = [Decimal(tax["price"]) for e in refund["refund_line_items"] for tax in e["line_item"]["tax_lines"]]
    assert -sum(tax.amount for tax in result.taxes) == -sum(line.tax_amount for line in result.lines) == sum(taxes) > 0
    assert [(tender.description, tender.amount) for tender in result.tenders] == [
        (transaction["gateway"], -Decimal(transaction["amount"])) for transaction in refund["transactions"]
    ]
    assert result.business_date.isoformat() == refund["created_at"][:10]


@pytest.mark.parametrize(
    "name", ["locations.json", "tender_transactions.json", "transaction.json", "transactions.json"]
)
def test_what_is_neither_order_nor_refund_is_held(name: str) -> None:
    [broken] = read(export("shopify", name))
    assert isinstance(broken, Broken)
    assert "is neither an order nor a refund" in broken.reason


def test_a_refund_that_was_only_calculated_moved_no_money() -> None:
    [only] = read(export("shopify", "refund_calculate.json"))
    assert isinstance(only, NoReceipt)
    assert only.reason == "a refund without money"

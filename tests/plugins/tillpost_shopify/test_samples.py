"""Each sample that ships with the adapter, with its figures."""

import json
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import tillpost_shopify
from tests.support.adapter import parse, receipt
from tillpost.model import Broken, Found, Identifier, LineKind, NoReceipt, Parsed, Receipt, Tender

SAMPLES = Path(tillpost_shopify.__file__).parent / "samples"


def read(source: str | dict[str, Any] | list[Any], **settings: Any) -> list[Parsed]:
    """A sample by its name, or a body."""
    given = SAMPLES / source if isinstance(source, str) else json.dumps(source).encode()
    return parse(tillpost_shopify.plugin, given, **settings)


def body(name: str) -> Any:
    return json.loads((SAMPLES / name).read_bytes())


def one(source: str | dict[str, Any] | list[Any], **settings: Any) -> Receipt:
    [parsed] = read(source, **settings)
    return receipt(parsed)


def paid(result: Receipt) -> list[tuple[str, D]]:
    return [(tender.type, tender.amount) for tender in result.tenders]


def test_a_webhook_body_of_a_sale_with_the_tax_in_its_prices() -> None:
    result = one("sale.json", customer_id="externalId")
    assert (result.id, result.number, result.store, result.till) == ("600_2_2026-03-14_5100001", "#1001", "600", "2")
    assert result.created.isoformat() == "2026-03-14T17:05:09+01:00"
    assert [(line.sku, line.quantity, line.paid, line.tax_amount, line.tax_percent) for line in result.lines] == [
        ("A-100", D(1), D("751.91"), D("150.38"), D(25)),
        ("B-20", D(3), D("50.09"), D("10.02"), D(25)),
        ("C-1", D(3), D("57.00"), D("6.11"), D(12)),
    ]
    assert [(d.value, d.description) for line in result.lines for d in line.discounts] == [
        (D("-93.09"), "SPRING"),
        (D("-6.91"), "SPRING"),
    ]
    assert [(tax.percent, tax.amount, tax.including_tax) for tax in result.taxes] == [
        (D(25), D("160.40"), D("802.00")),
        (D(12), D("6.11"), D("57.00")),
    ]
    assert result.tenders == (Tender(type="card", amount=D("859.00"), description="shopify_payments"),)
    assert result.customer is not None
    assert result.customer.identifiers == (
        Identifier("externalId", "7001"),
        Identifier("email", "asa.oberg@example.com"),
        Identifier("mobilePhone", "+46701234567"),
    )
    assert result.customer.attributes == {"firstName": "Åsa", "lastName": "Öberg"}


def test_tax_on_top_a_tip_a_gift_card_and_change() -> None:
    result = receipt(read("orders.json", store="web", till="t")[0])
    mug, tip = result.lines
    assert (mug.paid, mug.tax_amount, result.total) == (D("26.20"), D("1.20"), D("31.20"))
    assert (tip.kind, tip.sku, tip.paid) == (LineKind.ADJUSTMENT, "tip", D("5.00"))
    assert paid(result) == [("giftcard", D("10.00")), ("cash", D("25.00")), ("cash", D("-3.80"))]
    assert result.customer is None
    assert (result.till, result.flags) == ("t", ("phone-left-out",))


def test_a_web_order_with_shipping_a_gift_card_sold_and_its_refund_inside() -> None:
    _, sold, back = [receipt(parsed) for parsed in read("orders.json", store="web")]
    assert [(line.sku, line.kind, line.paid, line.article_group) for line in sold.lines] == [
        ("LAMP", LineKind.PURCHASE, D("84.00"), ""),
        ("1022", LineKind.PURCHASE, D("5.00"), "giftcard"),
        ("shipping", LineKind.ADJUSTMENT, D("8.75"), "shipping"),
    ]
    assert (sold.total, sold.store) == (D("97.75"), "web")
    [lamp] = back.lines
    assert (back.id, back.total, lamp.quantity, lamp.paid) == ("web__2026-11-05_880001", D(-42), D(-1), D(-42))
    assert lamp.extra == {"originalReceipt": "5200002"}
    assert back.customer == sold.customer
    assert paid(back) == [("card", D("-42.00"))]


def test_a_refund_is_the_same_receipt_inside_its_order_and_as_a_body_but_for_the_customer() -> None:
    refund = body("orders.json")["orders"][1]["refunds"][0]
    inside = receipt(read("orders.json", store="web")[2])
    for form in (refund, {"refund": refund}, {"refunds": [refund]}):
        bare = one(form, store="web")
        assert (bare.id, bare.lines, bare.tenders, bare.taxes) == (
            inside.id,
            inside.lines,
            inside.tenders,
            inside.taxes,
        )
        assert bare.customer is None


def test_a_refund_body_of_less_than_the_line_cost() -> None:
    result = one("refund.json")
    socks, kept = result.lines
    assert (result.id, result.total, paid(result)) == ("600_2_2026-03-20_880002", D("-30.00"), [("swish", D("-30.00"))])
    assert (socks.kind, socks.quantity, socks.paid, socks.tax_amount) == (
        LineKind.RETURN,
        D(-2),
        D("-33.39"),
        D("-6.68"),
    )
    assert (kept.kind, kept.sku, kept.paid) == (LineKind.ADJUSTMENT, "refund_discrepancy", D("3.39"))
    assert {line.extra["originalReceipt"] for line in result.lines} == {"5100001"}


def test_the_currency_the_customer_paid_in_or_the_shops() -> None:
    in_shop, in_presentment = one("two-currencies.json", money="shop"), one("two-currencies.json")
    assert [(result.currency, result.total, result.lines[0].tax_amount) for result in (in_shop, in_presentment)] == [
        ("SEK", D("230.00"), D("46.00")),
        ("EUR", D("20.00"), D("4.00")),
    ]
    assert in_shop.created.isoformat() == "2026-06-01T08:00:00+00:00"
    assert one("two-currencies.json", timezone=ZoneInfo("Europe/Stockholm")).created.isoformat() == (
        "2026-06-01T10:00:00+02:00"
    )


def test_a_record_that_is_not_a_sale_has_its_reason() -> None:
    parsed = read("no-sales.jsonl")
    assert all(isinstance(record, NoReceipt) and record.retail for record in parsed)
    assert [record.reason for record in parsed if isinstance(record, NoReceipt)] == [
        "test order",
        "payment 'pending'",
        "payment 'authorized'",
        "payment 'voided'",
        "cancelled",
        "no line items",
        "a refund without money",
        "refund 'pending'",
    ]


def test_a_cancelled_order_that_was_refunded_is_a_sale_and_its_refund_undoes_it() -> None:
    order = body("sale.json") | {"cancelled_at": "2026-03-15T09:00:00+01:00", "financial_status": "refunded"}
    items = [
        {
            "quantity": item["quantity"],
            "line_item": item,
            "subtotal": subtotal,
            "total_tax": item["tax_lines"][0]["price"],
        }
        for item, subtotal in zip(order["line_items"], ["751.91", "50.09", "57.00"], strict=True)
    ]
    order["refunds"] = [
        {
            "id": 5,
            "order_id": order["id"],
            "created_at": order["cancelled_at"],
            "refund_line_items": items,
            "transactions": [{"kind": "refund", "status": "success", "gateway": "cash", "amount": "859.00"}],
        }
    ]
    sold, back = [receipt(parsed) for parsed in read(order, store="600")]
    assert sold.total == -back.total == D("859.00")
    assert sum(tax.amount for tax in (*sold.taxes, *back.taxes)) == 0


def test_only_orders_of_the_sources_that_are_wanted() -> None:
    first, web, back = read("orders.json", source_names=("pos",), store="web")
    assert isinstance(first, Found)
    assert isinstance(web, NoReceipt)
    assert isinstance(back, NoReceipt)
    assert web.reason == back.reason == "order of another source ('web')"


def test_stores_and_tenders_by_the_settings() -> None:
    result = one("sale.json", stores={"600": "SE-600"}, tenders={"shopify_payments": "creditcard"})
    assert (result.store, paid(result)) == ("SE-600", [("creditcard", D("859.00"))])
    [broken] = read({**body("sale.json"), "location_id": None})
    assert isinstance(broken, Broken)
    assert "location_id is missing; set `store`" in broken.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_price": "860.00"}, "lines sum to 859.00, the receipt's total is 860.00 (difference -1.00)"),
        ({"taxes_included": False}, "(difference 166.51)"),
        ({"presentment_currency": "EUR"}, "amount_set, with the amount in EUR, is missing"),
        ({"currency": None}, "key 'currency' is missing"),
        ({"line_items": None}, "key 'line_items' is missing"),
        ({"line_items": {}}, "line_items: must be a list"),
        ({"processed_at": "2026-03-14T17:05:09"}, "the time has no offset; set `timezone`"),
        ({"processed_at": "yesterday"}, "processed_at: not an ISO 8601 time"),
        ({"financial_status": None}, "key 'financial_status' is missing"),
        ({"transactions": [{"kind": "sale", "gateway": "cash", "amount": "800.00"}]}, "difference -59.00"),
        (
            {"transactions": [{"kind": "sale", "gateway": "cash", "amount": "80", "currency": "EUR"}]},
            "is in 'EUR', the receipt in SEK; set `money`",
        ),
        ({"id": None}, "key 'id' is missing"),
    ],
)
def test_a_record_that_does_not_add_up_is_held_with_its_place(changes: dict[str, Any], reason: str) -> None:
    [broken] = read({"order": body("sale.json") | changes})
    assert isinstance(broken, Broken)
    assert broken.place == "line 1.order"
    assert reason in broken.reason
    assert broken.reason.startswith("line 1.order")
    [again] = parse(tillpost_shopify.plugin, broken.raw)
    assert isinstance(again, Broken)
    assert again.reason == broken.reason


def test_taxes_of_the_whole_order_are_spread_to_the_cent() -> None:
    order = body("sale.json") | {"taxes_included": False, "total_price": "859.10"}
    for item in order["line_items"]:
        del item["tax_lines"]
    order["tax_lines"] = [{"title": "State", "rate": 0.0001, "price": "0.10"}]
    result = one(order)
    assert [line.tax_amount for line in result.lines] == [D("0.09"), D("0.00"), D("0.01")]
    assert result.taxes[0].amount == D("0.10")


def test_the_rounding_of_cash_and_duties_are_lines() -> None:
    order = body("sale.json") | {
        "total_cash_rounding_payment_adjustment_set": {
            "shop_money": {"amount": "0.40"},
            "presentment_money": {"amount": "0.40"},
        },
        "original_total_duties_set": {"shop_money": {"amount": "7.60"}, "presentment_money": {"amount": "7.60"}},
        "total_price": "866.60",
        "transactions": [{"kind": "sale", "status": "success", "gateway": "cash", "amount": "867.00"}],
    }
    result = one(order)
    assert [(line.sku, line.paid) for line in result.lines[3:]] == [("duties", D("7.60")), ("rounding", D("0.40"))]
    assert result.total == D("867.00")


def test_every_record_reads_again_from_its_own_bytes() -> None:
    for path in SAMPLES.glob("*.json*"):
        for parsed in parse(tillpost_shopify.plugin, path, store="web"):
            if isinstance(parsed, Found):
                again = parse(tillpost_shopify.plugin, parsed.raw, store="web")[0]
                assert (receipt(again).id, receipt(again).lines) == (parsed.receipt.id, parsed.receipt.lines)
                assert receipt(again).customer == parsed.receipt.customer

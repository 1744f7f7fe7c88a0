"""Orders whose totals, goods and money disagree, or that come in another shape: each has the receipt it means."""

import json
from copy import deepcopy
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

import tillpost_shopify
from tests.support.adapter import parse, receipt, receipts, records
from tillpost import DocumentError
from tillpost.model import Broken, Found, LineKind, NoReceipt, Parsed, Receipt

READINGS = Path(__file__).parent / "readings"


def read(source: str | bytes | dict[str, Any], **settings: Any) -> list[Parsed]:
    """A file of the readings by its name, bytes, or a body."""
    if isinstance(source, dict):
        source = json.dumps(source).encode()
    given = READINGS / source if isinstance(source, str) else source
    return parse(tillpost_shopify.plugin, given, **({"store": "web"} | settings))


def body(name: str) -> dict[str, Any]:
    found = json.loads((READINGS / name).read_bytes())
    assert isinstance(found, dict)
    return found


def sale(source: str | bytes | dict[str, Any], **settings: Any) -> Receipt:
    """The only receipt of a file in which nothing is broken."""
    parsed = read(source, **settings)
    assert not [record for record in parsed if isinstance(record, Broken)], parsed
    [found] = [record.receipt for record in parsed if isinstance(record, Found)]
    return found


def broken(source: str | bytes | dict[str, Any], **settings: Any) -> str:
    [reason] = [record.reason for record in read(source, **settings) if isinstance(record, Broken)]
    return reason


def lines(result: Receipt) -> list[tuple[str, D, D]]:
    return [(line.sku, line.quantity, line.paid) for line in result.lines]


def paid(result: Receipt) -> list[tuple[str, D]]:
    return [(tender.type, tender.amount) for tender in result.tenders]


def item(number: int, price: str, quantity: int = 1, current: int | None = None, **more: Any) -> dict[str, Any]:
    """A line item with 25 % tax in its price."""
    tax = D(price) * quantity / 5
    return {
        "id": number,
        "sku": f"SKU{number}",
        "title": f"Item {number}",
        "price": price,
        "quantity": quantity,
        "current_quantity": quantity if current is None else current,
        "gift_card": False,
        "taxable": True,
        "total_discount": "0.00",
        "discount_allocations": [],
        "tax_lines": [{"title": "Moms", "price": f"{tax:.2f}", "rate": 0.25}],
    } | more


def returned(sold: dict[str, Any], quantity: int = 1, subtotal: str = "", restock: str = "return") -> dict[str, Any]:
    value = D(subtotal) if subtotal else D(sold["price"]) * quantity
    return {
        "line_item_id": sold["id"],
        "quantity": quantity,
        "restock_type": restock,
        "subtotal": f"{value:.2f}",
        "total_tax": f"{value / 5:.2f}",
        "line_item": sold,
    }


def order(items: list[dict[str, Any]], total: str, **more: Any) -> dict[str, Any]:
    return {
        "id": 900,
        "name": "#900",
        "processed_at": "2026-05-10T12:00:00+02:00",
        "currency": "SEK",
        "taxes_included": True,
        "financial_status": "paid",
        "location_id": 579,
        "device_id": 12,
        "total_price": total,
        "payment_gateway_names": ["cash"],
        "line_items": items,
    } | more


def refund(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 950,
        "order_id": 900,
        "created_at": "2026-05-12T12:00:00+02:00",
        "refund_line_items": list(entries),
        "transactions": [],
        "order_adjustments": [],
    } | more


def moved(kind: str, amount: str, gateway: str = "cash", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "status": "success", "gateway": gateway, "amount": amount, "currency": "SEK"} | more


def test_case_13_an_order_edited_before_it_was_paid() -> None:
    result = sale("shop-edited-webhook.json")
    assert (result.total, lines(result)) == (D("100.00"), [("SKU1", D(1), D("100.00"))])
    assert paid(result) == [("cash", D("100.00"))]
    assert [(tax.amount, tax.including_tax) for tax in result.taxes] == [(D("20.00"), D("100.00"))]
    assert result.flags == ("edited",)
    [_, told] = read("shop-edited-webhook.json")
    assert isinstance(told, NoReceipt)
    assert told.retail


def test_case_13_with_transactions_the_payment_decides() -> None:
    result = sale(body("shop-edited-webhook.json") | {"transactions": [moved("sale", "100.00")]})
    assert (result.total, result.flags) == (D("100.00"), ("edited",))


def test_two_of_three_pieces_are_left_with_their_discount() -> None:
    three = item(1, "40.00", 3, 2, discount_allocations=[{"amount": "12.00", "discount_application_index": 0}])
    three["tax_lines"][0]["price"] = "21.60"
    edited = order(
        [three, item(2, "10.00")],
        "118.00",
        discount_applications=[{"title": "Spring"}],
        refunds=[refund(returned(three, 1, "36.00", "no_restock"))],
        transactions=[moved("sale", "82.00", "swish")],
    )
    result = sale(edited)
    assert lines(result) == [("SKU1", D(2), D("72.00")), ("SKU2", D(1), D("10.00"))]
    assert [(each.value, each.description) for each in result.lines[0].discounts] == [(D("-8.00"), "Spring")]
    assert (result.lines[0].tax_amount, result.flags) == (D("14.40"), ("edited",))


def test_what_is_edited_out_of_an_order_with_tax_on_top_takes_its_tax_along() -> None:
    one, two = item(1, "100.00"), item(2, "50.00", 1, 0)
    for each, tax in ((one, "25.00"), (two, "12.50")):
        each["tax_lines"][0]["price"] = tax
    out = returned(two, restock="cancel") | {"total_tax": "12.50"}
    edited = order([one, two], "187.50", taxes_included=False, refunds=[refund(out)])
    result = sale(edited | {"current_total_price": "125.00", "total_outstanding": "0.00"})
    assert (result.total, result.taxes[0].amount, result.flags[0]) == (D("125.00"), D("25.00"), "edited")


def test_an_edit_whose_refunds_are_not_in_the_body_is_seen_by_current_quantity() -> None:
    edited = order([item(1, "100.00"), item(2, "50.00", 1, 0), item(3, "10.00", 4, 3)], "190.00")
    result = sale(edited | {"current_total_price": "130.00", "total_outstanding": "0.00"})
    assert lines(result) == [("SKU1", D(1), D("100.00")), ("SKU3", D(3), D("30.00"))]
    assert result.flags == ("edited",)


def test_goods_brought_back_before_their_money_leave_the_sale_as_it_was_paid() -> None:
    two = item(2, "50.00", 1, 0)
    waiting = order([item(1, "100.00"), two], "150.00", refunds=[refund(returned(two))])
    for told in (
        {"current_total_price": "100.00", "total_outstanding": "-50.00"},
        {"transactions": [moved("sale", "150.00")]},
    ):
        result = sale(waiting | told)
        assert (result.total, len(result.lines)) == (D("150.00"), 2)
        assert "edited" not in result.flags


def test_an_edited_order_that_does_not_say_what_was_paid_is_held() -> None:
    two = item(2, "50.00", 1, 0)
    edited = order([item(1, "100.00"), two], "150.00", refunds=[refund(returned(two, restock="cancel"))])
    assert "neither transactions nor current_total_price" in broken(edited)
    paid_short = broken(edited | {"transactions": [moved("sale", "90.00")]})
    assert "without what was edited out" in paid_short
    assert "(difference -10.00)" in paid_short
    assert "as it stands" in paid_short


def test_an_order_none_of_whose_transactions_succeeded_has_no_invented_payment() -> None:
    failed = order([item(1, "100.00")], "100.00", transactions=[moved("sale", "100.00") | {"status": "failure"}])
    assert "tenders sum to 0" in broken(failed)


@pytest.mark.parametrize(
    ("gateways", "tender", "flags"),
    [
        (["swish"], ("swish", D("100.00")), ()),
        (["gift_card", "cash"], ("other", D("100.00")), ("tender-not-told",)),
        ([], ("other", D("100.00")), ("tender-not-told",)),
    ],
)
def test_how_an_order_without_transactions_was_paid(
    gateways: list[str], tender: tuple[str, D], flags: tuple[str, ...]
) -> None:
    result = sale(order([item(1, "100.00")], "100.00", payment_gateway_names=gateways))
    assert (paid(result), result.flags) == ([tender], flags)


def test_an_order_of_which_something_is_outstanding_is_not_read_as_paid() -> None:
    owed = order([item(1, "100.00")], "100.00", current_total_price="100.00", total_outstanding="20.00")
    assert "tenders sum to 80.00" in broken(owed)


@pytest.mark.parametrize("transactions", [True, False])
def test_case_14_an_exchange(transactions: bool) -> None:
    given = body("shop-exchange-tx.json")
    if not transactions:
        del given["transactions"]
    result = sale(given)
    assert result.total == D("70.00")
    assert lines(result) == [("SKU1", D(1), D("50.00")), ("SKU2", D(1), D("70.00")), ("SKU1", D(-1), D("-50.00"))]
    back = result.lines[2]
    assert (back.kind, back.extra["originalReceipt"]) == (LineKind.RETURN, "802")
    assert sum(amount for _, amount in paid(result)) == D("70.00")
    assert sum(tax.amount for tax in result.taxes) == D("14.00")
    assert "exchange" in result.flags


def test_an_exchange_for_the_same_price() -> None:
    one, two = item(1, "50.00", 1, 0), item(2, "50.00")
    swapped = order([one, two], "100.00", refunds=[refund(returned(one), **{"return": {"id": 5}})])
    for told in ({"transactions": [moved("sale", "50.00", "swish")]}, {"current_total_price": "50.00"}):
        result = sale(swapped | told)
        assert (result.total, result.flags[0]) == (D("50.00"), "exchange")
        assert sum(line.paid for line in result.lines if line.kind is LineKind.RETURN) == D("-50.00")


def test_an_exchange_with_money_back_is_the_refunds_receipt() -> None:
    one, two = item(1, "100.00", 1, 0), item(2, "70.00")
    back = refund(returned(one), transactions=[moved("refund", "30.00", location_id=579, device_id=12)])
    swapped = order([one, two], "170.00", refunds=[back], transactions=[moved("sale", "100.00")])
    for given in (swapped, swapped | {"transactions": [], "current_total_price": "70.00", "total_outstanding": "0"}):
        sold, exchanged = receipts(read(given))
        assert lines(sold) == [("SKU1", D(1), D("100.00"))]
        assert lines(exchanged) == [("SKU1", D(-1), D("-100.00")), ("SKU2", D(1), D("70.00"))]
        assert (exchanged.total, paid(exchanged)) == (D("-30.00"), [("cash", D("-30.00"))])
        assert (sold.flags[0], exchanged.flags) == ("exchange", ("exchange",))
        again = parse(tillpost_shopify.plugin, read(given)[1].raw, store="web")  # type: ignore[union-attr]
        assert lines(receipt(again[0])) == lines(exchanged)


def test_a_refund_of_goods_without_money_needs_its_order() -> None:
    alone = body("shop-exchange-tx.json")["refunds"][0]
    reason = broken(alone)
    assert "brought back or exchanged without money" in reason
    assert "orders/updated" in reason
    edited = body("shop-edited-webhook.json")["refunds"][0]
    assert "edited out of the order without money" in broken(edited)
    money = deepcopy(alone) | {"transactions": [moved("refund", "30.00")]}
    assert "goods taken in exchange are told by the order only" in broken(money)


def test_case_15_the_rounding_of_cash() -> None:
    one, handed, hook, sold, back = receipts(read("shop-cash.jsonl"))
    for result in (one, handed, hook, sold):
        assert result.total == D("50.00")
        assert lines(result) == [("C", D(1), D("49.60")), ("rounding", D(1), D("0.40"))]
    assert paid(one) == paid(hook) == [("cash", D("50.00"))]
    assert paid(handed) == [("cash", D("100.00")), ("cash", D("-50.00"))]
    assert (one.flags, handed.flags) == ((), ("rounding-in-tender",))
    assert (back.total, paid(back)) == (D("-50.00"), [("cash", D("-50.00"))])
    assert lines(back) == [("C", D(-1), D("-49.60")), ("rounding", D(1), D("-0.40"))]


def test_a_gateway_that_is_called_a_rounding_is_a_line() -> None:
    result = sale(
        order(
            [item(1, "49.60")],
            "49.60",
            transactions=[moved("sale", "50.00"), moved("sale", "-0.40", "Öresavrundning")],
        )
    )
    assert (result.total, result.flags) == (D("50.00"), ("rounding-as-tender",))
    assert lines(result)[1] == ("rounding", D(1), D("0.40"))
    assert paid(result) == [("cash", D("50.00"))]


def test_a_refund_rounded_with_the_other_sign_or_in_its_order() -> None:
    given = json.loads((READINGS / "shop-cash.jsonl").read_text().splitlines()[3])
    [transaction] = given["refunds"][0]["transactions"]
    transaction["amount_rounding"] = "0.40"
    assert receipts(read(given))[1].total == D("-50.00")
    transaction.pop("amount_rounding")
    transaction["amount"] = "50.00"
    by_order = receipts(read(given))[1]
    assert (by_order.total, lines(by_order)[1]) == (D("-50.00"), ("rounding", D(1), D("-0.40")))


def test_cash_rounded_down_beside_a_card_by_its_transaction_alone() -> None:
    result = sale(
        order(
            [item(1, "49.62")],
            "49.62",
            transactions=[moved("sale", "20.00", "stripe"), moved("sale", "29.62", amount_rounding="-0.02")],
        )
    )
    assert (result.total, paid(result)) == (D("49.60"), [("card", D("20.00")), ("cash", D("29.60"))])
    assert lines(result)[1] == ("rounding", D(1), D("-0.02"))


def test_a_rounding_that_nobody_paid_is_put_aside_with_a_flag() -> None:
    told = {"shop_money": {"amount": "0.38", "currency_code": "SEK"}}
    by_card = order(
        [item(1, "49.62")],
        "49.62",
        total_cash_rounding_payment_adjustment_set=told,
        transactions=[moved("sale", "49.62", "stripe")],
    )
    result = sale(by_card)
    assert (result.total, result.flags) == (D("49.62"), ("rounding-unpaid",))


@pytest.mark.parametrize(
    ("items", "total", "received", "flag"),
    [
        ([item(1, "100.00")], "110.00", "110.00", None),
        ([item(1, "100.00")], "100.00", "110.00", "tip-on-top"),
        ([item(1, "100.00"), item(2, "10.00", tip_payment_method="Cash", tax_lines=[])], "110.00", "110.00", None),
        ([item(1, "100.00"), item(2, "10.00", title="Dricks", tax_lines=[])], "110.00", "110.00", "tip-in-line"),
    ],
)
def test_a_tip_is_read_once(items: list[dict[str, Any]], total: str, received: str, flag: str | None) -> None:
    given = order(items, total, total_tip_received="10.00", transactions=[moved("sale", received)])
    result = sale(given)
    assert (result.total, len(result.lines), sum(line.paid for line in result.lines)) == (D("110.00"), 2, D("110.00"))
    assert result.flags == ((flag,) if flag else ())


def test_a_gift_card_sold_and_edited_out_again() -> None:
    card = item(2, "500.00", 1, 0, gift_card=True, taxable=False, tax_lines=[])
    out = returned(card, restock="cancel") | {"total_tax": "0.00"}
    given = order([item(1, "100.00"), card], "600.00", transactions=[moved("sale", "600.00")])
    assert [line.article_group for line in sale(given).lines] == ["", "giftcard"]
    result = sale(given | {"refunds": [refund(out)], "transactions": [moved("sale", "100.00", "gift_card")]})
    assert (result.total, paid(result), result.flags) == (D("100.00"), [("giftcard", D("100.00"))], ("edited",))


def test_case_16_an_answer_of_the_graphql_api() -> None:
    result = sale("shop-graphql.json")
    assert (result.id, result.total, result.currency, lines(result)) == (
        "web__2026-05-11_1",
        D("49.95"),
        "GBP",
        [("A", D(1), D("49.95"))],
    )
    assert result.flags == ("tender-not-told",)


def bag(amount: str, currency: str = "SEK") -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


def graphql_order() -> dict[str, Any]:
    """The exchange of case 14, as the GraphQL API tells it, with what else an order has there."""
    tax = {"title": "Moms", "rate": 0.25, "ratePercentage": 25.0}
    first = {
        "id": "gid://shopify/LineItem/1",
        "sku": "SKU1",
        "title": "Item 1",
        "quantity": 1,
        "currentQuantity": 0,
        "isGiftCard": False,
        "variant": {"id": "gid://shopify/ProductVariant/21"},
        "product": {"id": "gid://shopify/Product/11"},
        "originalUnitPriceSet": bag("50.00"),
        "discountAllocations": [],
        "taxLines": [tax | {"priceSet": bag("10.00")}],
    }
    second = first | {
        "id": "gid://shopify/LineItem/2",
        "sku": None,
        "variant": {"id": "gid://shopify/ProductVariant/22", "sku": "SKU2"},
        "currentQuantity": 1,
        "originalUnitPriceSet": bag("80.00"),
        "discountAllocations": [
            {"allocatedAmountSet": bag("10.00"), "discountApplication": {"__typename": "Code", "code": "TEN"}}
        ],
        "taxLines": [tax | {"priceSet": bag("14.00")}],
    }
    return {
        "id": "gid://shopify/Order/802",
        "name": "#802",
        "processedAt": "2026-05-10T10:00:00Z",
        "currencyCode": "SEK",
        "presentmentCurrencyCode": "SEK",
        "displayFinancialStatus": "PAID",
        "taxesIncluded": True,
        "test": False,
        "sourceName": "pos",
        "retailLocation": {"id": "gid://shopify/Location/579"},
        "customer": {
            "id": "gid://shopify/Customer/55",
            "firstName": "A",
            "defaultEmailAddress": {"emailAddress": "a.b@example.com"},
            "defaultPhoneNumber": {"phoneNumber": "+46701234567"},
        },
        "totalPriceSet": bag("120.00"),
        "lineItems": {"edges": [{"node": first}, {"node": second}], "pageInfo": {"hasNextPage": False}},
        "shippingLines": {"nodes": []},
        "transactions": [
            {"kind": "SALE", "status": "SUCCESS", "gateway": "cash", "amountSet": bag("50.00")},
            {
                "kind": "SALE",
                "status": "SUCCESS",
                "gateway": "shopify_payments",
                "amountSet": bag("20.00"),
                "paymentDetails": {"company": "Visa"},
            },
        ],
        "refunds": [
            {
                "id": "gid://shopify/Refund/902",
                "createdAt": "2026-05-12T10:05:00Z",
                "return": {"id": "gid://shopify/Return/5"},
                "refundLineItems": {
                    "edges": [
                        {
                            "node": {
                                "quantity": 1,
                                "restockType": "RETURN",
                                "subtotalSet": bag("50.00"),
                                "totalTaxSet": bag("10.00"),
                                "lineItem": {"id": "gid://shopify/LineItem/1", "sku": "SKU1", "title": "Item 1"},
                            }
                        }
                    ]
                },
                "transactions": {"edges": []},
            }
        ],
    }


def test_an_order_whose_id_is_missing_is_no_list_of_refunds() -> None:
    """Found by fuzzing: it was in no outcome."""
    for missing in ({"id": None}, {"id": None, "line_items": None}):
        assert "key 'id' is missing" in broken(order([item(1, "100.00")], "100.00", refunds=[]) | missing)


def test_an_exchange_told_by_graphql_is_that_of_rest() -> None:
    result = sale({"data": {"order": graphql_order()}}, customer_id="externalId")
    assert (result.id, result.total, result.flags) == ("579__2026-05-10_802", D("70.00"), ("exchange",))
    assert lines(result) == [("SKU1", D(1), D("50.00")), ("SKU2", D(1), D("70.00")), ("SKU1", D(-1), D("-50.00"))]
    assert [(each.value, each.description) for each in result.lines[1].discounts] == [(D("-10.00"), "TEN")]
    assert [(tender.type, tender.amount, tender.description) for tender in result.tenders] == [
        ("cash", D("50.00"), "cash"),
        ("card", D("20.00"), "Visa"),
    ]
    assert result.customer is not None
    assert [each.kind for each in result.customer.identifiers] == ["externalId", "email", "mobilePhone"]


def test_the_lines_of_a_bulk_operation_are_one_order() -> None:
    order = graphql_order()
    items = [edge["node"] for edge in order.pop("lineItems")["edges"]]
    del order["refunds"], order["transactions"][1:]
    order |= {"totalPriceSet": bag("120.00"), "transactions": [order["transactions"][0] | {"amountSet": bag("120.00")}]}
    other = deepcopy(order) | {"id": "gid://shopify/Order/803", "name": "#803"}
    rows = [order, *({**each, "__parentId": order["id"]} for each in items)]
    rows += [other, *({**each, "__parentId": other["id"]} for each in items)]
    content = "\n".join(json.dumps(row) for row in rows).encode()
    parsed = read(content)
    first, second = receipts(parsed)
    assert (first.number, second.number, first.total, lines(first)) == (
        "#802",
        "#803",
        D("120.00"),
        [("SKU1", D(1), D("50.00")), ("SKU2", D(1), D("70.00"))],
    )
    assert isinstance(parsed[0], Found)
    assert lines(sale(parsed[0].raw)) == lines(first)


def test_the_order_before_a_cut_is_read() -> None:
    order = {"order": graphql_order()}
    content = json.dumps([graphql_order(), order]).encode()
    found = records(tillpost_shopify.plugin, content[:-40], store="web")
    assert receipt(next(found)).number == "#802"
    with pytest.raises(DocumentError):
        list(found)


def test_shipping_rounding_and_a_refund_in_graphql_only_presentment() -> None:
    def euros(amount: str) -> dict[str, Any]:
        return {"presentmentMoney": {"amount": amount, "currencyCode": "EUR"}}

    order = graphql_order() | {
        "currencyCode": None,
        "presentmentCurrencyCode": None,
        "totalPriceSet": euros("54.92"),
        "totalShippingPriceSet": euros("4.92"),
        "totalCashRoundingAdjustment": {"paymentSet": euros("0.03"), "refundSet": euros("0.00")},
        "transactions": [
            {"kind": "SALE", "status": "SUCCESS", "gateway": "cash", "amountSet": euros("54.92")}
            | {"amountRoundingSet": euros("0.03")}
        ],
        "refunds": [],
    }
    [first, _] = order["lineItems"]["edges"]
    first["node"] |= {"originalUnitPriceSet": euros("50.00"), "taxLines": []}
    order["lineItems"] = {"edges": [first]}
    del order["shippingLines"]
    result = sale({"data": {"orders": {"nodes": [order]}}})
    assert (result.total, result.currency, paid(result)) == (D("54.95"), "EUR", [("cash", D("54.95"))])
    assert [line.sku for line in result.lines] == ["SKU1", "shipping", "rounding"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"errors": [{"message": "Throttled"}], "data": None}, "neither an order nor a refund"),
        ({"data": {"shop": {"name": "A"}}}, "an answer of the GraphQL API without orders or refunds"),
        ({"id": "gid://shopify/LineItem/1", "__parentId": "gid://shopify/Order/9"}, "neither an order nor a refund"),
    ],
)
def test_an_answer_without_orders_is_held(given: dict[str, Any], reason: str) -> None:
    assert reason in broken(given)


def test_a_first_page_of_line_items_is_not_read_as_the_whole_order() -> None:
    order, whole = graphql_order(), graphql_order()
    order["lineItems"]["pageInfo"] = {"hasNextPage": True}
    answer = {"data": {"orders": {"nodes": [order, whole]}}}
    assert "has more pages than its first" in broken(answer)
    held, sold, _ = read(answer)
    assert isinstance(held, Broken)
    assert receipt(sold).total == D("70.00")
    assert "has more pages" in broken(held.raw)


def test_a_refund_whose_names_are_no_texts_is_held_from_its_own_bytes_too() -> None:
    one = item(1, "100.00")
    back = returned(one | {"name": 1.5})
    [held] = [
        record
        for record in read(order([one], "100.00", refunds=[refund(back, transactions=[moved("refund", "100.00")])]))
        if isinstance(record, Broken)
    ]
    assert "name: must be text" in held.reason
    assert "name: must be text" in broken(held.raw)


@pytest.mark.parametrize(
    "other", [{"cursor": "a"}, {"node": None}, {"node": {"title": "A"}}, {"node": {"nodes": []}}, None, 7]
)
def test_what_a_list_of_orders_has_beside_orders_is_held(other: object) -> None:
    parsed = read({"data": {"orders": {"edges": [{"node": graphql_order()}, other]}}})
    assert [type(record) for record in parsed] == [Found, NoReceipt, Broken]


@pytest.mark.parametrize("other", [{"cursor": "a"}, {"node": None}, None])
def test_a_line_item_that_is_none_holds_its_order(other: object) -> None:
    order = graphql_order()
    order["lineItems"]["edges"].append(other)
    assert "line_items[2]: must be an object" in broken({"data": {"order": order}})


def test_an_empty_page_of_orders_has_no_records() -> None:
    assert read({"data": {"orders": {"edges": [], "pageInfo": {"hasNextPage": False}}}}) == []


def test_a_body_by_way_of_eventbridge_and_the_notice_of_an_edit() -> None:
    inner = body("shop-edited-webhook.json")
    wrapped = {"detail-type": "shopifyWebhook", "detail": {"payload": inner, "metadata": {"X-Shopify-Topic": "a"}}}
    assert sale(wrapped).total == D("100.00")
    [notice] = read({"order_edit": {"id": 7, "order_id": 900, "line_items": {"additions": [], "removals": []}}})
    assert isinstance(notice, NoReceipt)
    assert "notice of an edit" in notice.reason

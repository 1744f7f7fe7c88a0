"""What the members of an order mean where they can be meant in several ways: the reading that adds up, and its flag."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import tillpost_square
from tests.support.adapter import parse, receipt, receipts
from tillpost.model import Broken, Found, NoReceipt, Parsed, Receipt

UTC = ZoneInfo("UTC")


def money(cents: int) -> dict[str, Any]:
    return {"amount": cents, "currency": "USD"}


def item(name: str, cents: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "quantity": "1", "total_money": money(cents), **more}


def tender(kind: str, cents: int, **more: Any) -> dict[str, Any]:
    return {"id": f"T-{kind}", "type": kind, "amount_money": money(cents), **more}


def order(total: int, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A completed order, paid by card."""
    form = {
        "id": "O1",
        "location_id": "L1",
        "state": "COMPLETED",
        "closed_at": "2026-03-14T10:00:00Z",
        "line_items": list(items or [item("Tea", total)]),
        "tenders": [tender("CARD", total)],
        "total_money": money(total),
    }
    return form | more


def read(form: Any, **settings: Any) -> list[Parsed]:
    return parse(tillpost_square.plugin, json.dumps(form).encode(), timezone=UTC, **settings)


def one(form: dict[str, Any], **settings: Any) -> Receipt:
    [parsed] = read({"order": form}, **settings)
    return receipt(parsed)


def held(form: Any) -> str:
    [parsed] = read(form)
    assert isinstance(parsed, Broken), parsed
    return parsed.reason


def unsent(form: Any) -> NoReceipt:
    [parsed] = read(form)
    assert isinstance(parsed, NoReceipt), parsed
    return parsed


def tenders(found: Receipt) -> list[tuple[str, str]]:
    return [(tender.type, f"{tender.amount:f}") for tender in found.tenders]


# --- tenders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "flags"), [(8700, ()), (10000, ("change-in-tender",))])
def test_cash_is_what_was_kept_or_what_was_handed_over(amount: int, flags: tuple[str, ...]) -> None:
    details = {"buyer_tendered_money": money(10000), "change_back_money": money(1300)}
    found = one(order(8700, tenders=[tender("CASH", amount, cash_details=details)]))
    assert (tenders(found), found.flags) == ([("cash", "100.00"), ("cash", "-13.00")], flags)


@pytest.mark.parametrize("status", ["VOIDED", "FAILED"])
def test_a_card_that_took_no_money_is_no_tender(status: str) -> None:
    cards = [tender("CARD", 500, card_details={"status": status}), tender("CARD", 500)]
    assert tenders(one(order(500, tenders=cards))) == [("card", "5.00")]
    found = one(order(1000, tenders=cards))
    assert (tenders(found), found.flags) == ([("card", "5.00")] * 2, ("void-ignored",))


def test_an_external_payment_is_known_by_its_own_type() -> None:
    form: dict[str, Any] = {"order": order(500, tenders=[tender("OTHER", 500)])}
    assert tenders(receipt(read(form)[0])) == [("other", "5.00")]
    form["payments"] = [
        {"id": "T-OTHER", "order_id": "O1", "external_details": {"type": "FOOD_VOUCHER", "source": "X"}}
    ]
    assert tenders(receipt(read(form)[0])) == [("coupon", "5.00")]
    assert tenders(receipt(read(form, tenders={"FOOD_VOUCHER": "voucher"})[0])) == [("voucher", "5.00")]


def test_tenders_that_do_not_add_up_are_held_with_the_difference() -> None:
    reason = held({"order": order(500, tenders=[tender("CARD", 400)])})
    assert reason.endswith("tenders: tenders sum to 4.00, the order's total is 5.00 (difference -1.00)")


# --- lines ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "expected", "flags"), [(2, "0.02", ()), (-2, "0.02", ("rounding-sign",))])
def test_the_rounding_of_cash_is_a_line(written: int, expected: str, flags: tuple[str, ...]) -> None:
    found = one(order(1000, item("Tea", 998), rounding_adjustment={"amount_money": money(written)}))
    assert (found.lines[1].sku, f"{found.lines[1].paid:f}", found.flags) == ("rounding", expected, flags)


def test_the_rounding_of_a_return_is_that_of_what_goes_back() -> None:
    returned = {
        "source_order_id": "O0",
        "return_line_items": [item("Tea", 998)],
        "rounding_adjustment": {"amount_money": money(2)},
    }
    form = order(0, returns=[returned], return_amounts={"total_money": money(1000)}, line_items=[], tenders=[])
    found = one(form | {"refunds": [{"id": "R", "status": "APPROVED", "amount_money": money(1000)}]})
    assert [line.paid for line in found.lines] == [Decimal("-9.98"), Decimal("-0.02")]
    assert tenders(found) == [("other", "-10.00")]


@pytest.mark.parametrize(("charge", "flags"), [
    ({"treatment_type": "LINE_ITEM_TREATMENT"}, ()),
    ({"treatment_type": "APPORTIONED_TREATMENT"}, ()),
    ({}, ("charge-in-price",)),
])  # fmt: skip
def test_a_service_charge_is_a_line_or_in_the_prices(charge: dict[str, str], flags: tuple[str, ...]) -> None:
    beside = charge.get("treatment_type") == "LINE_ITEM_TREATMENT"
    charges = [{"name": "Service", "total_money": money(100), **charge}]
    found = one(order(1100, item("Tea", 1000 if beside else 1100), service_charges=charges))
    assert [line.sku for line in found.lines] == (["Tea", "service charge"] if beside else ["Tea"])
    assert found.flags == flags


def test_a_tip_is_a_line_and_goes_back_with_a_return() -> None:
    assert [line.sku for line in one(order(1100, item("Tea", 1000), total_tip_money=money(100))).lines] == [
        "Tea",
        "tip",
    ]
    returned = {"return_line_items": [item("Tea", 1000)], "return_tips": [{"applied_money": money(100)}]}
    form = order(0, returns=[returned], return_amounts={"total_money": money(1100)}, line_items=[], tenders=[])
    found = one(form | {"refunds": [{"id": "R", "status": "PENDING", "amount_money": money(1100)}]})
    assert [line.paid for line in found.lines] == [Decimal("-10.00"), Decimal("-1.00")]


def test_goods_exchanged_for_goods_of_the_same_price_move_no_money() -> None:
    returned = {"source_order_id": "O0", "return_line_items": [item("Cup", 500)]}
    form = order(500, item("Tea", 500), returns=[returned], return_amounts={"total_money": money(500)}, tenders=[])
    found = one(form)
    assert ([line.kind.value for line in found.lines], found.total, tenders(found)) == (
        ["purchase", "return"],
        Decimal(0),
        [],
    )
    assert found.lines[1].extra == {"originalReceipt": "O0"}


def test_a_refund_that_was_refused_moves_no_money() -> None:
    returned = {"return_line_items": [item("Cup", 500)]}
    form = order(0, returns=[returned], return_amounts={"total_money": money(500)}, line_items=[], tenders=[])
    refund = {"id": "R", "status": "FAILED", "amount_money": money(500)}
    assert held({"order": form | {"refunds": [refund]}}).endswith("(difference 5.00)")
    paid: dict[str, Any] = {"order": form | {"refunds": [refund, refund | {"id": "S", "status": "APPROVED"}]}}
    paid["refunds"] = [{"id": "S", "order_id": "O0", "destination_type": "CASH"}]
    assert tenders(receipt(read(paid)[0])) == [("cash", "-5.00")]


# --- states and forms -----------------------------------------------------------------------------------------------


def test_an_order_that_is_paid_and_not_completed_waits_for_its_completion() -> None:
    assert unsent({"order": order(500, state="OPEN", tenders=[])}).reason == "suspended: not paid yet"
    record = unsent({"order": order(500, state="OPEN")})
    assert (record.reason.partition(":")[0], record.retail) == ("paid, and not handed over yet", True)


def test_a_canceled_order_is_voided_where_all_went_back() -> None:
    assert unsent({"order": order(500, state="CANCELED", tenders=[])}).voids == "L1__2026-03-14_O1"
    refunds = [{"id": "R", "amount_money": money(500)}]
    assert unsent({"order": order(500, state="CANCELED", refunds=refunds)}).reason == "voided"
    assert held({"order": order(500, state="CANCELED")}).endswith("is CANCELED, was paid 5.00 and gave back 0")
    assert "state is none of OPEN" in held({"order": order(500, state="PAUSED")})


def test_a_drawer_that_was_opened_is_no_sale_and_money_beside_it_is() -> None:
    record = unsent({"order": order(0, line_items=[], tenders=[tender("NO_SALE", 0)])})
    assert (record.reason, record.retail) == ("no sale", False)
    found = one(order(500, tenders=[tender("NO_SALE", 0), tender("CASH", 500)]))
    assert tenders(found) == [("cash", "5.00")]


def test_an_order_is_the_same_in_every_form_it_comes_in() -> None:
    form = order(500)
    forms: list[Any] = [
        {"order": form},
        {"orders": [form], "cursor": "x"},
        form,
        [form],
        {"type": "order.fulfilled", "event_id": "e", "data": {"type": "order", "object": {"order": form}}},
    ]
    found = [receipts(read(one_form))[0] for one_form in forms]
    assert len({each.id for each in found}) == 1
    assert all(each.lines == found[0].lines and each.tenders == found[0].tenders for each in found)


@pytest.mark.parametrize(("form", "reason"), [
    ({}, "it has nothing"),
    ({"purchases": []}, "it has purchases"),
    ({"errors": [{"code": "UNAUTHORIZED"}]}, "is an error of Square's API (UNAUTHORIZED), and no order"),
    ({"type": "order.updated", "data": {"object": {"order_updated": {"order_id": "O1"}}}}, "order.updated names an"),
    ([7], "must be an object"),
])  # fmt: skip
def test_what_is_nothing_of_squares_is_held(form: Any, reason: str) -> None:
    assert reason in held(form)


@pytest.mark.parametrize("kind", ["webhooks.test_notification", "customer.created", "inventory.count.updated"])
@pytest.mark.parametrize("about", [{}, {"object": {"customer": {"id": "C"}}}])
def test_an_event_about_something_else_is_ignored(kind: str, about: Any) -> None:
    (found,) = read({"type": kind, "event_id": "e", "data": {"type": kind, "id": "x", **about}})
    assert isinstance(found, NoReceipt)
    assert (found.reason, found.retail) == (f"event {kind!r}, not an order", False)


@pytest.mark.parametrize("kind", ["order.created", "order.updated", "order.fulfillment.updated"])
def test_an_event_about_an_order_is_never_ignored(kind: str) -> None:
    assert held({"type": kind, "event_id": "e", "data": {"type": "order", "id": "x"}})
    assert held({"type": "new.kind", "data": {"object": {"order_changed": {"order_id": "O1"}}}})


def test_several_orders_of_an_answer_are_read_again_each_alone() -> None:
    forms = {
        "orders": [order(500), order(700, id="O2")],
        "payments": [{"id": "P", "order_id": "O2", "receipt_number": "7"}],
    }
    first, second = read(forms)
    assert isinstance(second, Found)
    assert (receipt(first).number, second.receipt.number) == ("O1", "7")
    [again] = parse(tillpost_square.plugin, second.raw, timezone=UTC)
    assert receipt(again).id == second.receipt.id


# --- people and ids -------------------------------------------------------------------------------------------------


def customer(form: dict[str, Any], **beside: Any) -> list[tuple[str, str]]:
    found = receipt(read({"order": form, **beside})[0]).customer
    return sorted((known.kind, known.value) for known in found.identifiers) if found else []


def test_the_customer_is_the_orders_then_the_payers_then_who_fetches_it() -> None:
    pickup = {"pickup_details": {"recipient": {"email_address": "b@example.com", "phone_number": "+15550100"}}}
    form = order(500, tenders=[tender("CARD", 500, customer_id="C2")], fulfillments=[pickup])
    assert customer(form | {"customer_id": "C1"}) == [("externalId", "C1")]
    mail = {"id": "P", "order_id": "O1", "buyer_email_address": "A@example.com"}
    assert customer(form, payments=[mail]) == [("email", "a@example.com"), ("externalId", "C2")]
    assert customer(order(500, fulfillments=[pickup])) == [("email", "b@example.com"), ("mobilePhone", "+15550100")]
    assert customer(order(500, fulfillments=[{"shipment_details": pickup["pickup_details"]}])) == []


def test_an_order_that_two_customers_paid_for_is_nobodys() -> None:
    form = order(500, tenders=[tender("CARD", 300, customer_id="C1"), tender("CASH", 200, customer_id="C2")])
    found = one(form)
    assert (found.customer, found.flags) == (None, ("several-customers",))
    assert customer(form | {"customer_id": "C1"}) == [("externalId", "C1")]


@pytest.mark.parametrize("key", ["id", "customer_id"])
def test_an_id_that_a_spreadsheet_shortened_is_held(key: str) -> None:
    reason = held({"order": order(500, **{key: "4.67E+10"})})
    assert "is a number a spreadsheet shortened; take the order as Square writes it" in reason
    assert "4.67" not in reason


def test_the_time_is_that_of_the_closing_whatever_changes_later() -> None:
    form = order(500, created_at="2026-03-13T10:00:00Z", updated_at="2026-03-20T10:00:00Z", version=7)
    assert one(form).created.isoformat() == "2026-03-14T10:00:00+00:00"
    [parsed] = parse(
        tillpost_square.plugin,
        json.dumps({"order": form | {"closed_at": "2026-03-15T03:00:00+00:00"}}).encode(),
        timezone=ZoneInfo("America/New_York"),
    )
    assert receipt(parsed).created.isoformat() == "2026-03-14T23:00:00-04:00"

"""JSON in the shapes of vendors' feeds: wrappers, lists of lines and of payments, and what says where they are."""

import json
from decimal import Decimal as D
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import tillpost_table
from tests.support.adapter import parse, receipts
from tests.support.tables import reasons
from tillpost.model import Found, Parsed

GIVEN: dict[str, Any] = {
    "timezone": ZoneInfo("Europe/Stockholm"),
    "format": "json",
    "records": "receipts",
    "lines": "line_items",
    "payments": "payments",
    "columns": {
        "number": "receipt_number",
        "store": "store.id",
        "created": "receipt_date",
        "total": "total_money",
        "sku": "line_items.sku",
        "quantity": "line_items.quantity",
        "paid": "line_items.total_money",
        "tender_type": "payments.type",
        "tender_amount": "payments.money_amount",
    },
    "constants": {"currency": "SEK"},
    "values": {"tender_type": {"CASH": "cash", "CARD": "card"}},
}
RECEIPT: dict[str, Any] = {
    "receipt_number": "2-1007",
    "store": {"id": "s-1", "name": "Torget"},
    "receipt_date": "2026-05-04T08:00:00.000Z",
    "total_money": 150.00,
    "line_items": [{"sku": "A1", "quantity": 2, "total_money": 100}, {"sku": "A2", "quantity": 1, "total_money": 50}],
    "payments": [{"type": "CARD", "money_amount": 100.0}, {"type": "CASH", "money_amount": 50.0}],
}


def read(form: Any, **settings: Any) -> list[Parsed]:
    content = form if isinstance(form, bytes) else json.dumps(form).encode()
    return parse(tillpost_table.plugin, content, **(GIVEN | settings))


@pytest.mark.parametrize("indent", [None, 2])
def test_case_27_a_wrapper_and_a_list_of_payments(indent: int | None) -> None:
    wrapped = {"receipts": [RECEIPT, RECEIPT | {"receipt_number": "2-1008"}], "cursor": None}
    found = read(json.dumps(wrapped, indent=indent).encode())
    first, second = receipts(found)
    assert ([line.paid for line in first.lines], first.total) == ([D(100), D(50)], D(150))
    assert [(tender.type, tender.amount) for tender in first.tenders] == [("card", D(100)), ("cash", D(50))]
    assert (first.created.isoformat(), second.number) == ("2026-05-04T10:00:00+02:00", "2-1008")
    assert isinstance(found[0], Found)
    assert [record.receipt.number for record in read(found[0].raw) if isinstance(record, Found)] == ["2-1007"]


def test_lists_by_a_path_and_records_without_a_wrapper() -> None:
    inner = {name: RECEIPT[name] for name in ("line_items", "payments")}
    record = {name: value for name, value in RECEIPT.items() if name not in inner} | {"order": inner}
    columns = {field: f"order.{path}" if "s." in path else path for field, path in GIVEN["columns"].items()}
    columns["store"] = "store.id"
    [only] = receipts(read(record, lines="order.line_items", payments="order.payments", columns=columns))
    assert (len(only.lines), len(only.tenders)) == (2, 2)


def test_payments_without_lines_are_rows_of_the_same_record() -> None:
    one = {**RECEIPT, "sku": "SUM", "paid": 150, "line_items": None}
    columns = {**GIVEN["columns"], "sku": "items.sku", "paid": "items.paid"}
    for field in ("quantity",):
        del columns[field]
    del one["line_items"]
    one["items"] = [{"sku": "SUM", "paid": 150}]
    [only] = receipts(read(one, lines="items", columns=columns))
    assert [tender.type for tender in only.tenders] == ["card", "cash"]


def test_a_wrapper_that_is_not_named_is_held_with_its_lists() -> None:
    [reason] = reasons(read({"orders": [RECEIPT], "next": None}))
    assert 'the list "line_items" is missing; it has orders, next (orders: lists; set `records`' in reason
    [other] = reasons(read({"orders": [RECEIPT]}, records="", lines="", payments=""))
    assert "has no column of the mapping; it has orders (orders: lists; set `records`" in other
    [tenders] = reasons(read({**RECEIPT, "payments": 150}))
    assert 'the list "payments" is missing' in tenders

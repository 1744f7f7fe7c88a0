"""The example of the vendor guide: a stranger's plugin, on its own samples and on Square's published answers."""

from __future__ import annotations

import ast
import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import tillpost_square
from tests.support.exports import export
from tillpost.compose.standalone import standalone_hooks
from tillpost.model import Document, Found, NoReceipt, Parsed
from tillpost_square import promises

EXAMPLE = Path(__file__).parents[2] / "docs" / "vendors" / "example"
ALLOWED = {"tillpost", "tillpost.kit", "tillpost.kit.xml", "tillpost.model", "tillpost.testing"}


class TestSquareAsOurs(promises.TestSquare):
    """The suite of the example, without installing it."""

    plugin = tillpost_square.plugin  # type: ignore[assignment] # by value: it is not installed here
    samples = Path(promises.__file__).parent / "samples"


@pytest.mark.parametrize("path", sorted(EXAMPLE.rglob("*.py")), ids=lambda path: path.name)
def test_it_imports_nothing_of_ours_but_what_is_public(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            top = module.partition(".")[0]
            assert top in {"tillpost_square", "attrs", "tillpost"} | sys.stdlib_module_names, f"{path.name}: {module}"
            assert top != "tillpost" or module in ALLOWED, f"{path.name}: {module} is not public"


def read(name: str) -> list[Parsed]:
    table = {"timezone": "America/New_York"}
    hooks = standalone_hooks("square", tillpost_square.plugin, {"adapter": table}, folder=Path.cwd())
    return list(hooks.parse_receipts(Document.from_path(export("square", name))))


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
        ("SearchOrdersResponse", "an answer without orders"),
    ],
)
def test_an_answer_without_a_paid_order_has_its_reason(name: str, reason: str) -> None:
    [record] = read(f"{name}.example.json")
    assert isinstance(record, NoReceipt)
    assert record.reason == reason


def test_an_order_without_a_time_is_held_with_what_is_missing() -> None:
    [record] = read("BatchRetrieveOrdersResponse.example.json")
    assert not isinstance(record, Found | NoReceipt)
    assert record.reason == "line 1.orders[0]: key 'created_at' is missing"


def test_every_answer_of_square_is_in_this_test() -> None:
    assert len(list(export("square").glob("*.example.json"))) == 13

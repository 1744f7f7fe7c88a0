"""Each sample that ships with the adapter, with its figures."""

import json
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tillpost_zettle
from tests.support.adapter import parse, receipt
from tillpost.model import Broken, Found, LineKind, NoReceipt, Parsed, Receipt

SAMPLES = Path(tillpost_zettle.__file__).parent / "samples"


def read(source: str | Any, **settings: Any) -> list[Parsed]:
    """A sample by its name, or a purchase."""
    content = SAMPLES / source if isinstance(source, str) else json.dumps(source).encode()
    return parse(tillpost_zettle.plugin, content, **({"timezone": ZoneInfo("Europe/Stockholm")} | settings))


def body(name: str) -> Any:
    return json.loads((SAMPLES / name).read_bytes())


def one(source: str | Any, **settings: Any) -> Receipt:
    [parsed] = read(source, **settings)
    return receipt(parsed)


def paid(result: Receipt) -> list[tuple[str, D]]:
    return [(tender.type, tender.amount) for tender in result.tenders]


def test_a_purchase_in_minor_units_with_card_cash_and_change() -> None:
    result = one("purchase.json")
    assert (result.id, result.number, result.till) == ("__2026-03-14_uuid-101", "101", "reg-1")
    assert result.created.isoformat(timespec="seconds") == "2026-03-14T17:05:09+01:00"
    assert [(line.sku, line.article_name, line.quantity, line.paid, line.tax_amount) for line in result.lines] == [
        ("SCARF-RED", "Scarf Red", D(2), D("100.00"), D("20.00")),
        ("TEA", "Tea", D(1), D("35.00"), D("3.75")),
        ("BEANS", "Coffee beans", D("0.25"), D("24.00"), D("2.57")),
    ]
    assert paid(result) == [("card", D("100.00")), ("cash", D("100.00")), ("cash", D("-41.00"))]
    assert [(tax.percent, tax.amount, tax.including_tax) for tax in result.taxes] == [
        (D(25), D("20.00"), D("100.00")),
        (D(12), D("6.32"), D("59.00")),
    ]
    assert (result.flags, result.customer) == ((), None)


def test_discounts_of_rows_come_first_and_that_of_the_purchase_is_spread() -> None:
    result = one("discounts.json")
    assert [(line.sku, line.paid, [(d.description, d.value) for d in line.discounts]) for line in result.lines] == [
        ("LAMP", D("28.00"), [("", D("-5.00")), ("20% off", D("-7.00"))]),
        ("BULB", D("72.00"), [("10% off", D("-10.00")), ("20% off", D("-18.00"))]),
    ]
    assert sum(line.tax_amount for line in result.lines) == D("13.31")
    assert (result.flags, paid(result)) == ((), [("swish", D("100.00"))])


def test_a_history_with_a_partial_refund_a_tip_and_a_gift_card() -> None:
    sold, back, dinner, card = [receipt(parsed) for parsed in read("history.json", stores={"9001": "S1"})]
    assert (sold.total, back.total, back.store) == (D("33.33"), D("-11.11"), "S1")
    [cup] = back.lines
    assert (cup.kind, cup.quantity, cup.paid, cup.tax_amount) == (LineKind.RETURN, D(-1), D("-11.11"), D("-2.22"))
    assert cup.extra == {"originalReceipt": "uuid-103"}
    assert paid(back) == [("card", D("-11.11"))]
    assert sold.created.isoformat() == "2026-10-25T02:30:00+02:00"
    assert (dinner.total, paid(dinner)) == (D("220.00"), [("card", D("220.00"))])
    assert [(line.sku, line.kind, line.paid) for line in dinner.lines] == [
        ("DINNER", LineKind.PURCHASE, D("200.00")),
        ("tip", LineKind.ADJUSTMENT, D("20.00")),
    ]
    assert [(line.article_group, line.paid) for line in card.lines] == [
        ("giftcard", D("500.00")),
        ("service charge", D("4.99")),
    ]


def test_tax_on_top_in_a_currency_without_minor_digits() -> None:
    result = one("tax-on-top.json", timezone=ZoneInfo("Asia/Tokyo"))
    assert (result.total, result.currency, result.lines[0].tax_amount, result.till) == (D(1100), "JPY", D(100), "")
    assert result.created.isoformat() == "2026-03-14T10:00:00+09:00"


@given(
    rows=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 50_000)), min_size=1, max_size=8),
    percent=st.integers(1, 99),
)
def test_a_discount_on_the_purchase_adds_up_to_the_last_cent(rows: list[tuple[int, int]], percent: int) -> None:
    whole = sum(quantity * price for quantity, price in rows)
    amount = whole - (whole * percent + 50) // 100
    purchase = body("purchase.json") | {
        "amount": amount,
        "products": [{"quantity": str(quantity), "unitPrice": price, "name": "A"} for quantity, price in rows],
        "discounts": [{"percentage": percent, "quantity": 1}],
        "payments": [{"type": "SWISH", "amount": amount}],
    }
    result = one(purchase)
    assert sum(line.paid for line in result.lines) == D(amount) / 100
    assert sum(d.value for line in result.lines for d in line.discounts) == D(amount - whole) / 100


@pytest.mark.parametrize("amount", [1249, 1250, 1251])
def test_how_the_till_rounded_a_percentage_is_taken_from_its_amount(amount: int) -> None:
    purchase = body("purchase.json") | {
        "amount": amount,
        "products": [{"quantity": "1", "unitPrice": 2500, "name": "A"}],
        "discounts": [{"percentage": 50, "quantity": 1}],
        "payments": [{"type": "SWISH", "amount": amount}],
    }
    assert one(purchase).total == D(amount) / 100


def test_a_purchase_without_products_is_skipped() -> None:
    [only] = read(body("purchase.json") | {"products": [], "amount": 0, "payments": []})
    assert isinstance(only, NoReceipt)
    assert only.reason == "no products"


def test_vat_that_differs_is_flagged() -> None:
    assert one(body("purchase.json") | {"vatAmount": 2600}).flags == ("vat-differs",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 15901}, "(difference -0.01)"),
        ({"amount": 159.5}, "is not a whole number of minor units"),
        ({"amount": "x"}, "amount: not a number"),
        (
            {"payments": [{"type": "SWISH", "amount": 15000}]},
            "tenders sum to 150.00, the receipt's total is 159.00 (difference -9.00)",
        ),
        ({"timestamp": "soon"}, "timestamp: not an ISO 8601 time"),
        ({"currency": "kr"}, "ISO 4217"),
        ({"purchaseUUID": None}, "key 'purchaseUUID1' is missing, and so are purchaseUuid and purchaseUUID"),
        ({"products": [{"name": "A"}]}, "products[0]: key 'quantity' is missing"),
        ({"discounts": [{"name": "Odd"}]}, "discounts[0]: key 'percentage' is missing"),
    ],
)
def test_a_record_that_does_not_add_up_is_held_with_its_place(changes: dict[str, Any], reason: str) -> None:
    [broken] = read(body("purchase.json") | changes)
    assert isinstance(broken, Broken)
    assert reason in broken.reason
    assert broken.reason.startswith("line 1")
    assert (broken.number, broken.store) == ("101", "9001")


def test_every_record_reads_again_from_its_own_bytes() -> None:
    for path in SAMPLES.glob("*.json*"):
        for parsed in read(path.name):
            assert isinstance(parsed, Found)
            [again] = parse(tillpost_zettle.plugin, parsed.raw, timezone=ZoneInfo("Europe/Stockholm"))
            assert receipt(again).lines == parsed.receipt.lines

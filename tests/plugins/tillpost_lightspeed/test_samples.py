"""Each sample that ships with the adapter, with its figures, and sales that are off."""

import json
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import tillpost_lightspeed
from tests.support.adapter import parse, receipt
from tillpost.model import Broken, Document, Found, LineKind, NoReceipt, Parsed, Receipt
from tillpost_lightspeed.parse import recognise
from tillpost_lightspeed.settings import Settings

SAMPLES = Path(tillpost_lightspeed.__file__).parent / "samples"
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def read(source: str | Any, **settings: Any) -> list[Parsed]:
    """A sample by its name, or a sale."""
    content = SAMPLES / source if isinstance(source, str) else json.dumps(source).encode()
    return parse(tillpost_lightspeed.plugin, content, **({"timezone": STOCKHOLM, "currency": "SEK"} | settings))


def body(name: str, number: int = 0) -> Any:
    """A sale of a sample."""
    form = json.loads((SAMPLES / name).read_bytes())
    sales = form.get("Sale", form.get("data", form))
    return sales[number] if isinstance(sales, list) else sales


def one(source: str | Any, **settings: Any) -> Receipt:
    [parsed] = read(source, **settings)
    return receipt(parsed)


def broken(source: Any) -> Broken:
    [parsed] = read(source)
    assert isinstance(parsed, Broken), parsed
    return parsed


def paid(result: Receipt) -> list[tuple[str, D]]:
    return [(tender.type, tender.amount) for tender in result.tenders]


def lines(result: Receipt) -> list[tuple[str, D, D]]:
    return [(line.sku, line.quantity, line.paid) for line in result.lines]


def test_two_taxes_are_rounded_as_the_sale_rounds_them() -> None:
    sold, promotion, back = [receipt(parsed) for parsed in read("two-taxes.json", currency="CAD")]
    assert lines(sold) == [("A-1", D(1), D("11.49")), ("B-1", D(1), D("22.99"))]
    assert [(tax.description, tax.percent, tax.amount, tax.excluding_tax) for tax in sold.taxes] == [
        ("GST", D(5), D("1.50"), D("29.99")),
        ("PST", D("9.975"), D("2.99"), D("29.99")),
    ]
    assert {line.tax_percent for line in sold.lines} == {D("14.975")}
    assert paid(sold) == [("cash", D("40.00")), ("cash", D("-5.52"))]
    # 16.211475 in its only line, and 14.10 + 0.71 + 1.41 on the receipt.
    assert (promotion.total, lines(promotion)) == (D("16.22"), [("A-1", D(1), D("16.22"))])
    assert (back.total, {line.kind for line in back.lines}) == (D("-34.48"), {LineKind.RETURN})
    assert [line.extra for line in back.lines] == [{"originalLine": "1"}, {"originalLine": "2"}]
    assert {result.flags for result in (sold, promotion, back)} == {()}


def test_times_written_in_utc_are_the_shops_and_so_is_the_business_day() -> None:
    sold = one({"Sale": body("two-taxes.json")})
    assert body("two-taxes.json")["completeTime"] == "2026-03-15T02:51:54+00:00"
    assert sold.created.isoformat() == "2026-03-14T22:51:54-04:00"
    assert sold.id == "12_3_2026-03-14_2001"
    without = body("two-taxes.json") | {"Shop": ""}
    assert one(without).created.isoformat() == "2026-03-15T03:51:54+01:00"
    odd = one(body("two-taxes.json") | {"Shop": {"timeZone": "America"}})
    assert (odd.created.isoformat(), odd.flags) == ("2026-03-15T03:51:54+01:00", ("shop-timezone-unknown",))


def test_a_sale_edited_later_keeps_its_id() -> None:
    sale = body("two-taxes.json")
    first = one(sale).id
    assert one(sale | {"timeStamp": "2026-06-01T10:00:00+00:00", "updateTime": "2026-06-01T10:00:00+00:00"}).id == first
    old = {name: value for name, value in sale.items() if name != "completeTime"}
    assert one(old).created.isoformat() == "2026-03-14T10:30:00-04:00"  # of its payment
    assert one(old | {"timeStamp": "2026-06-01T10:00:00+00:00"}).id == one(old).id


def test_gift_cards_and_accounts() -> None:
    card, deposit, picked_up, misc, credit, tip, rounding, open_sale = read("accounts.json")
    assert lines(receipt(card)) == [("giftcard", D(1), D("100.00"))]
    assert (receipt(card).total, paid(receipt(card))) == (D("100.00"), [("cash", D("100.00"))])
    assert lines(receipt(deposit)) == [("deposit", D(1), D("20.00"))]
    assert receipt(card).flags == receipt(deposit).flags == ("deposit-as-line",)
    assert paid(receipt(picked_up)) == [("invoice", D("20.00")), ("card", D("80.00"))]
    assert [(line.sku, line.article_name) for line in receipt(misc).lines] == [
        ("misc", "Hem of trousers"),
        ("workorder", ""),
    ]
    assert paid(receipt(misc)) == [("cash", D("42.50"))]  # the archived payment was taken back
    assert (receipt(credit).total, paid(receipt(credit))) == (D("-100.00"), [("invoice", D("-100.00"))])
    assert lines(receipt(tip)) == [("A-1", D(1), D("40.00")), ("tip", D(1), D(5))]
    assert paid(receipt(tip)) == [("card", D("45.00"))]
    assert (receipt(rounding).total, receipt(rounding).flags) == (D("100.00"), ("cash-rounding",))
    assert lines(receipt(rounding)) == [("A-1", D(1), D("99.98")), ("rounding", D(1), D("0.02"))]
    assert isinstance(open_sale, NoReceipt)
    assert (open_sale.reason, open_sale.retail) == ("archived before it was completed", True)


def test_x_series_answers() -> None:
    cups, back, fee, cash, credit, layby, voided = read("x-series.json", walk_in=("0af-walkin",))
    assert [receipt(parsed).total for parsed in (cups, back, fee, cash, credit)] == [
        D("14.85"), D("-50.00"), D("51.50"), D("50.00"), D("45.00"),
    ]  # fmt: skip
    assert receipt(cups).created.isoformat() == "2026-03-14T15:30:00+01:00"
    assert [(tax.percent, tax.amount, tax.excluding_tax) for tax in receipt(cups).taxes] == [
        (D(15), D("1.94"), D("12.91"))
    ]
    assert receipt(back).lines[0].extra == {"originalReceipt": "0af-sale-3000"}
    assert receipt(fee).lines[2].sku == "non_cash_fee"
    assert lines(receipt(cash)) == [("0af-a-1", D(1), D("49.98")), ("rounding", D(1), D("0.02"))]
    assert receipt(cash).flags == ("rounding-as-tender",)
    assert [discount.value for discount in receipt(credit).lines[0].discounts] == [D("-4.35")]
    customer = receipt(credit).customer
    assert customer is not None
    assert [(key.kind, key.value) for key in customer.identifiers] == [("externalId", "0af-anna")]
    assert receipt(cups).customer is None
    assert [parsed.reason for parsed in (layby, voided) if isinstance(parsed, NoReceipt)] == [
        "layby, not paid yet",
        "voided",
    ]
    assert isinstance(voided, NoReceipt)
    assert voided.voids == "0af-outlet-1_0af-register-3_2026-03-14_0af-sale-3007"


def test_a_walk_in_of_the_x_series_is_no_contact_unless_the_setting_tells_who_is_one() -> None:
    assert {receipt(parsed).customer for parsed in read("x-series.json")[:5]} == {None}
    assert all("customer-unclear" in receipt(parsed).flags for parsed in read("x-series.json")[:5])


def test_a_webhook_of_the_x_series() -> None:
    result = one("x-webhook.json")
    assert (result.total, lines(result), paid(result)) == (
        D("50.00"), [("A-1", D(1), D("50.00"))], [("cash", D("50.00"))],
    )  # fmt: skip
    assert result.customer is not None
    assert [key.kind for key in result.customer.identifiers] == ["externalId", "email", "mobilePhone"]
    assert result.flags == ()


def sold(**changes: Any) -> Any:
    """One A-1 at 100.00 by card, changed."""
    return body("promises/no_customer.json") | changes


def line(**changes: Any) -> Any:
    return {"SaleLines": {"SaleLine": body("promises/no_customer.json")["SaleLines"]["SaleLine"] | changes}}


def payment(**changes: Any) -> Any:
    return {"SalePayments": {"SalePayment": body("promises/no_customer.json")["SalePayments"]["SalePayment"] | changes}}


CASH = {"PaymentType": {"name": "Cash", "type": "cash"}}


@pytest.mark.parametrize(
    ("changes", "flags", "tenders"),
    [
        (line(calcTotal="90"), ("line-totals-recomputed",), [("card", D(100))]),
        (line(calcTotal="", calcSubtotal=""), (), [("card", D(100))]),
        (line(unitQuantity="-1"), ("sign-by-amount",), [("card", D(100))]),
        (line(calcTotal="-100"), ("line-totals-recomputed",), [("card", D(100))]),
        (line(calcTotal="-100", calcSubtotal="-100"), ("sign-by-quantity",), [("card", D(100))]),
        (payment(amount="120", **CASH) | {"change": "20"}, ("change-in-tender",), [("cash", D(120)), ("cash", D(-20))]),
        ({"change": "20"}, ("change-left-out",), [("card", D(100))]),
        (payment(archived="true"), ("archived-payment",), [("card", D(100))]),
        ({"archived": "true"}, ("archived-sale",), [("card", D(100))]),
        ({"calcTax1": "3"}, ("tax-off",), [("card", D(100))]),
        (payment(PaymentType={"name": "Bons", "type": "user defined"}), ("tender-unknown",), [("other", D(100))]),
    ],
)
def test_where_the_record_and_its_numbers_disagree_the_reading_that_adds_up_is_flagged(
    changes: Any, flags: tuple[str, ...], tenders: list[tuple[str, D]]
) -> None:
    result = one(sold(**changes))
    assert (result.flags, paid(result), result.total) == (flags, tenders, D(100))
    assert lines(result) == [("A-1", D(1), D(100))]


def test_lines_that_are_put_back_are_not_in_the_total() -> None:
    first = line()["SaleLines"]["SaleLine"]
    put_back = first | {"isLayaway": "true", "calcTotal": "30", "calcSubtotal": "30"}
    result = one(sold(SaleLines={"SaleLine": [first, put_back]}))
    assert (lines(result), result.flags) == ([("A-1", D(1), D(100))], ("layaway-left-out",))
    in_it = one(sold(SaleLines={"SaleLine": [first, put_back]}, calcTotal="130", **payment(amount="130")))
    assert (in_it.total, in_it.flags) == (D(130), ())


def test_a_refund_whose_payment_has_no_sign() -> None:
    back = body("promises/return.json")
    back["SalePayments"]["SalePayment"]["amount"] = "100"
    result = one(back)
    assert (result.total, paid(result), result.flags) == (D(-100), [("card", D(-100))], ("sign-by-total",))


@pytest.mark.parametrize("empty", ["", None, [], {}])
def test_empty_elements_are_nothing(empty: Any) -> None:
    result = one(sold(Customer=empty or "", Shop="", TaxCategory="") | {"SaleLines": line()["SaleLines"]})
    assert result.customer is None
    [no_sale] = read(sold(SaleLines="", SalePayments=empty or "", calcTotal="0", total="0"))
    assert isinstance(no_sale, NoReceipt | Found)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"SaleLines": ""}, "has a total of 100.00 and no SaleLines; ask for it with load_relations"),
        ({"SalePayments": ""}, "has a total of 100.00 and no SalePayments; ask for it with load_relations"),
        (payment(amount="98"), "payments sum to 98.00, the sale's total is 100.00 (difference -2.00)"),
        (
            line(calcTotal="98", calcSubtotal="98"),
            "amounts of lines sum to 98.00, the total is 100.00 (difference -2.00)",
        ),
        ({"completed": None}, "key 'completed' is missing"),
        ({"completed": "perhaps"}, "completed: must be true or false, and is text"),
        ({"completeTime": "soon"}, "completeTime: not an ISO 8601 time"),
        ({"shopID": None}, "key 'shopID' is missing"),
        ({"saleID": None}, "key 'saleID' is missing"),
        ({"calcTotal": "1e1000000"}, "calcTotal: out of bounds"),
        (line(unitQuantity="x"), "unitQuantity: not a number"),
        ({"SaleLines": "text"}, "SaleLines: must be an object or a list, and is text"),
    ],
)
def test_a_record_that_does_not_add_up_is_held_with_its_place(changes: Any, reason: str) -> None:
    found = broken(sold(**changes))
    assert reason in found.reason
    assert found.reason.startswith("line 1")
    assert (found.number, found.store) == ("220000001001", "12" if changes != {"shopID": None} else "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "DANCING"}, "status: 'DANCING' is an unknown status of a sale"),
        ({"total_price": 13.91}, "(difference -0.99695)"),
        ({"payments": []}, "payments sum to 0.00, the sale's total is 14.85 (difference -14.85)"),
        ({"sale_date": None}, "key 'sale_date' is missing"),
        ({"line_items": [{"quantity": 1}]}, "(difference"),
    ],
)
def test_a_sale_of_the_x_series_that_does_not_add_up_is_held(changes: Any, reason: str) -> None:
    assert reason in broken({"data": body("x-series.json") | changes}).reason


@pytest.mark.parametrize("status", ["CLOSED", "LAYBY_CLOSED", "ONACCOUNT_CLOSED"])
def test_void_lines_and_tax_inside_the_total_of_the_x_series(status: str) -> None:
    sale = body("x-series.json") | {"status": status}
    void = sale["line_items"][0] | {"status": "VOIDED"}
    assert one(sale | {"line_items": [*sale["line_items"], void]}).flags[0] == "void-line-left-out"
    inside = sale["line_items"][0] | {"total_price": 14.85}
    result = one(sale | {"line_items": [inside], "total_price": 14.85})
    assert (result.total, result.flags[0], result.lines[0].tax_amount) == (D("14.85"), "tax-inside-total", D("1.94"))


@pytest.mark.parametrize(
    "form", [{"Customer": [{"customerID": "1"}]}, {"SaleLine": [{"saleLineID": "1"}]}, {"a": 1}, 7]
)
def test_what_is_no_sale_is_held(form: Any) -> None:
    assert "is no sale" in broken(form).reason or "must be an object" in broken(form).reason


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("accounts.json", "Lightspeed Retail R-Series"),
        ("x-series.json", "Lightspeed Retail X-Series (API 2.0)"),
        ("x-webhook.json", "Lightspeed Retail X-Series (API 0.9 or webhook)"),
        ("", ""),
    ],
)
def test_the_series_is_recognised(name: str, series: str) -> None:
    content = (SAMPLES / name).read_bytes() if name else b'{"orders": []}'
    settings = Settings(timezone=STOCKHOLM, currency="SEK")
    assert recognise(Document.from_bytes("d", content), settings) == series


def test_an_answer_without_sales_is_ignored() -> None:
    [only] = read({"@attributes": {"count": "0", "offset": "0", "limit": "100"}})
    assert isinstance(only, NoReceipt)
    assert (only.reason, only.retail) == ("an answer without sales", False)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.json")))
def test_every_record_reads_again_from_its_own_bytes(name: str) -> None:
    for parsed in read(name):
        if isinstance(parsed, Found):
            [again] = parse(tillpost_lightspeed.plugin, parsed.raw, timezone=STOCKHOLM, currency="SEK")
            assert receipt(again).lines == parsed.receipt.lines

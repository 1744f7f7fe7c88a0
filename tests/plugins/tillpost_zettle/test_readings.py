"""One purchase in every form Zettle writes it, and taxes that are on top: each has the receipt it means."""

import json
from contextlib import closing
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

import tillpost_zettle
from tests.support.adapter import parse, receipt, receipts
from tillpost.journal import Accepted, Journal
from tillpost.model import (
    Broken,
    Customer,
    Document,
    Found,
    Identifier,
    LineKind,
    NoReceipt,
    Parsed,
    Receipt,
    receipt_id,
)

READINGS = Path(__file__).parent / "readings"
UUID, SHORT = "7cdf4ae2-a110-11eb-a7f9-24cfef8c0001", "fN9K4qEQEeun-STP74wAAQ"
ORGANISATIONS = {"11111": "600", "d3f03ffa-0000-0000-0000-000000000001": "600"}


def read(source: str | bytes | dict[str, Any], **settings: Any) -> list[Parsed]:
    """A file of the readings by its name, bytes, or a body."""
    if isinstance(source, dict):
        source = json.dumps(source).encode()
    given = READINGS / source if isinstance(source, str) else source
    return parse(tillpost_zettle.plugin, given, **({"timezone": ZoneInfo("Europe/Stockholm")} | settings))


def body(name: str) -> dict[str, Any]:
    found = json.loads((READINGS / name).read_bytes())
    assert isinstance(found, dict)
    return found


def one(source: str | bytes | dict[str, Any], **settings: Any) -> Receipt:
    [parsed] = read(source, **settings)
    return receipt(parsed)


def broken(source: dict[str, Any]) -> str:
    [parsed] = read(source)
    assert isinstance(parsed, Broken), parsed
    return parsed.reason


def american(amount: int, products: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A purchase with sales tax on top."""
    return {
        "purchaseUUID1": "00000000-0000-11f0-8000-000000000201",
        "amount": amount,
        "currency": "USD",
        "timestamp": "2026-05-12T18:40:00.000+0000",
        "purchaseNumber": 201,
        "organizationId": 11111,
        "products": products,
        "payments": [{"type": "IZETTLE_CARD", "amount": amount}],
        "taxationMode": "EXCLUSIVE",
        "taxationType": "SALES_TAX",
    } | more


def product(price: int, *rates: str, **more: Any) -> dict[str, Any]:
    return {
        "quantity": "1",
        "name": "Tee",
        "unitPrice": price,
        "taxRates": [{"percentage": float(rate)} for rate in rates],
    } | more


def test_case_17_a_purchase_has_one_id_in_all_three_forms() -> None:
    results = [one(name) for name in ("zettle-event.json", "zettle-payload.json", "zettle-rest.json")]
    assert {result.id for result in results} == {f"__2026-05-12_{UUID}"}
    assert {(result.total, result.currency, result.number) for result in results} == {(D("125.00"), "SEK", "77")}
    assert {result.created.isoformat(timespec="milliseconds") for result in results} == {
        "2026-05-12T12:00:00.798+02:00"
    }


def test_with_both_names_of_the_organisation_the_three_forms_are_one_receipt() -> None:
    results = [
        attrs.evolve(one(name, stores=ORGANISATIONS), raw=one("zettle-rest.json").raw)
        for name in ("zettle-event.json", "zettle-payload.json", "zettle-rest.json")
    ]
    assert results[0] == results[1] == results[2]
    assert results[0].store == "600"


@pytest.mark.parametrize(
    "keys",
    [
        {"purchaseUUID": SHORT},
        {"purchaseUUID": UUID},
        {"purchaseUUID1": UUID.upper()},
        {"purchaseUUID": "another", "purchaseUUID1": UUID},
        {"purchaseUuid": UUID, "purchaseUUID": SHORT},
    ],
)
def test_each_writing_of_the_uuid_is_the_same_purchase(keys: dict[str, str]) -> None:
    bare = {name: value for name, value in body("zettle-rest.json").items() if not name.startswith("purchaseUUID")}
    assert one(bare | keys).id == f"__2026-05-12_{UUID}"


@pytest.mark.parametrize("old", [True, 7, 1.5, [], "", "not base64 not base64 "])
def test_an_old_uuid_that_is_none_does_not_keep_the_purchase(old: object) -> None:
    assert one(body("zettle-rest.json") | {"purchaseUUID": old}).id == f"__2026-05-12_{UUID}"


def accept(journal: Journal, records: list[Parsed], name: str) -> Accepted:
    counts, document = Accepted(), Document.from_bytes(name, name.encode())
    anonymous = Customer(identifiers=(Identifier("externalId", "anonymous"),))
    journal.receipts.accept(records, document, anonymous, 100.0, counts)
    return counts


@pytest.mark.parametrize("name", ["zettle-rest.json", "zettle-event.json"])
def test_what_was_read_under_the_old_id_is_not_sent_again(name: str, tmp_path: Path) -> None:
    [parsed] = read("zettle-rest.json", stores=ORGANISATIONS)
    result = receipt(parsed)
    was = receipt_id(store="600", till="", business_date=result.business_date, number=SHORT)
    old = Found(receipt=attrs.evolve(result, id=was), raw=b"as it was read")
    with closing(Journal(tmp_path)) as journal:
        assert accept(journal, [old], "before").accepted == 1
        counts = accept(journal, read(name, stores=ORGANISATIONS), "after")
        assert (counts.accepted, counts.reasons) == (0, {"already recorded under another id": 1})
        assert [entry.id for entry in journal.receipts.find({})] == [was]


def test_a_refund_names_the_purchase_by_the_same_id() -> None:
    sold, back = receipts(read("zettle-mix2.jsonl"))[:2]
    assert {line.extra["originalReceipt"] for line in back.lines} == {"00000000-0000-0000-0000-000000000101"}
    assert sold.id.endswith(back.lines[0].extra["originalReceipt"])
    bare = body("zettle-rest.json") | {"refundsPurchaseUUID": SHORT, "refund": True, "amount": -12500}
    bare["products"][0]["quantity"] = "-1"
    bare["payments"] = [{"type": "IZETTLE_CASH", "amount": -12500, "attributes": {"handedAmount": -12500}}]
    result = one(bare)
    assert (result.lines[0].kind, result.lines[0].extra) == (LineKind.RETURN, {"originalReceipt": UUID})


@pytest.mark.parametrize("event", ["TestMessage", "InventoryBalanceChanged", "ProductUpdated"])
def test_another_event_is_ignored(event: str) -> None:
    for payload in ('{"data": "payload"}', {"productUuid": "1"}, "", "a test"):
        [only] = read({"eventName": event, "organizationUuid": "d3", "payload": payload})
        assert isinstance(only, NoReceipt)
        assert (only.reason, only.retail) == (f"event {event!r}, not a purchase", False)


def test_a_purchase_is_read_whatever_its_event_is_called_and_however_its_payload_is_written() -> None:
    event, inner = body("zettle-event.json"), body("zettle-payload.json")
    assert one(event | {"eventName": "PurchaseUpdated"}).total == D("125.00")
    del inner["organizationUuid"]
    result = one(event | {"payload": inner})
    assert (result.total, result.store) == (D("125.00"), "d3f03ffa-0000-0000-0000-000000000001")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ('{"purchaseUuid": ', "payload: is not JSON"),
        ("[]", "payload: must be an object"),
        ("{}", "payload: key 'purchaseUUID1' is missing"),
        (None, "payload: must be an object"),
    ],
)
def test_a_purchase_event_that_cannot_be_read_is_held(payload: str | None, reason: str) -> None:
    assert reason in broken(body("zettle-event.json") | {"payload": payload})


@pytest.mark.parametrize("timestamp", [10**20, True, "1778580000798"])
def test_a_timestamp_that_is_none_is_held(timestamp: object) -> None:
    assert "timestamp" in broken(body("zettle-payload.json") | {"timestamp": timestamp})


def test_a_payment_without_products_is_no_empty_purchase() -> None:
    empty = body("zettle-rest.json") | {"products": [], "amount": 0}
    assert "tenders sum to 125.00" in broken(empty)


def test_a_refund_above_zero_is_held() -> None:
    assert "refund is true" in broken(body("zettle-rest.json") | {"refund": True})


def test_case_18_sales_tax_of_two_rates_on_top() -> None:
    results = {result.number: result for result in receipts(read("zettle-mix2.jsonl"))}
    assert {number: result.total for number, result in results.items()} == {
        "101": D("100.00"),
        "102": D("-28.00"),
        "103": D("110.00"),
        "104": D("108.25"),
        "105": D("33.30"),
    }
    tee = results["104"]
    assert [(line.paid, line.tax_amount, line.tax_percent) for line in tee.lines] == [
        (D("108.25"), D("8.25"), D("8.25"))
    ]
    assert [(tax.description, tax.percent, tax.amount, tax.excluding_tax) for tax in tee.taxes] == [
        ("State", D("6.25"), D("6.25"), D("100.00")),
        ("City", D("2.0"), D("2.00"), D("100.00")),
    ]
    assert tee.flags == ()


def test_a_tax_that_is_rounded_once_for_the_purchase() -> None:
    rows = [product(333, "8.875"), product(333, "8.875"), product(333, "8.875")]
    result = one(american(1088, rows, vatAmount=89))
    assert (result.total, sum(line.tax_amount for line in result.lines)) == (D("10.88"), D("0.89"))
    assert [tax.amount for tax in result.taxes] == [D("0.89")]


def test_an_exempt_row_beside_a_taxed_one_with_a_discount_on_both() -> None:
    rows = [product(1000, "10"), product(1000, "10", taxExempt=True)]
    result = one(american(1890, rows, discounts=[{"percentage": 10, "quantity": 1, "value": 200}], vatAmount=90))
    assert [(line.paid, line.tax_amount) for line in result.lines] == [(D("9.90"), D("0.90")), (D("9.00"), D("0.00"))]


def test_a_tip_beside_tax_on_top() -> None:
    paid = [{"type": "IZETTLE_CARD", "amount": 1325, "gratuityAmount": 225}]
    for amount in (1100, 1325):
        result = one(american(amount, [product(1000, "10")], payments=paid))
        assert (result.total, [line.paid for line in result.lines]) == (D("13.25"), [D("11.00"), D("2.25")])


@pytest.mark.parametrize(("mode", "amount", "tax"), [("INCLUSIVE", 1100, "1.00"), ("EXCLUSIVE", 1000, "0.91")])
def test_where_the_mode_and_the_amounts_disagree_the_amounts_decide(mode: str, amount: int, tax: str) -> None:
    result = one(american(amount, [product(1000, "10")], taxationMode=mode))
    assert (result.lines[0].tax_amount, result.flags) == (D(tax), ("tax-mode-by-amount",))


def test_a_purchase_that_adds_up_neither_way_is_held_with_both_differences() -> None:
    reason = broken(american(1234, [product(1000, "10")]))
    assert "tax on top: " in reason
    assert "(difference -1.34)" in reason
    assert "tax in the price: " in reason
    assert "(difference -2.34)" in reason

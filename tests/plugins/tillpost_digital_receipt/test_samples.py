"""Each sample that ships with the adapter, with its figures."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import attrs
import pytest
from lxml import etree

import tillpost_digital_receipt
from tests.support.adapter import receipts, records
from tests.support.exports import export
from tillpost.model import Broken, Found, Identifier, LineKind, NoReceipt, Parsed

SAMPLES = Path(tillpost_digital_receipt.__file__).parent / "samples"


def sample(name: str, **settings: object) -> list[Parsed]:
    given = {"loyalty": "memberNumber", **settings}
    return list(records(tillpost_digital_receipt.plugin, SAMPLES / f"{name}.xml", **given))


def test_a_sale_to_a_member() -> None:
    [receipt] = receipts(sample("sale"))
    assert (receipt.id, receipt.number, receipt.total) == ("600_2_2026-03-14_701", "600-701", D(386))
    lamp, soda, deposit = receipt.lines
    assert (lamp.quantity, lamp.paid, lamp.tax_amount, lamp.discounts[0].value) == (D(2), D(360), D(72), D(-40))
    assert (soda.quantity, soda.paid, soda.tax_percent, soda.article_name) == (D(2), D(24), D(12), "Läsk")
    assert (deposit.kind, deposit.quantity, deposit.paid) == (LineKind.ADJUSTMENT, D(2), D(2))
    assert soda.tax_amount + deposit.tax_amount == D("2.79")
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [
        ("giftcard", D(300)),
        ("cash", D(100)),
        ("cash", D(-14)),
    ]
    assert [(tax.percent, tax.amount, tax.excluding_tax) for tax in receipt.taxes] == [
        (D(25), D(72), D(288)),
        (D(12), D("2.79"), D("23.21")),
    ]
    assert receipt.customer is not None
    assert receipt.customer.identifiers == (
        Identifier("memberNumber", "C-7001"),
        Identifier("socialSecurityNumber", "198112189876"),
        Identifier("email", "asa.oberg@example.com"),
        Identifier("mobilePhone", "+46701740605"),
    )
    assert receipt.customer.attributes == {
        "firstName": "Åsa",
        "lastName": "Öberg",
        "street": "Storgatan 1",
        "zipCode": "111 11",
        "city": "Köpstad",
        "countryCode": "SE",
    }
    assert receipt.extra == {
        "receiptCode": "2603141705097001",
        "organisationId": "0000000000",
        "controlUnit": "Kontrollenhet: SE000TEST0001; Kontrollkod: ABC=",
    }
    assert receipt.flags == ()


def test_returns_are_negative_and_name_what_they_were_bought_on() -> None:
    linked, coded, exchange = receipts(sample("return"))
    [lamp] = linked.lines
    assert (lamp.kind, lamp.quantity, lamp.paid, lamp.tax_amount) == (LineKind.RETURN, D(-1), D(-180), D(-36))
    # The id of the sample "sale".
    assert lamp.extra == {"originalReceipt": "600_2_2026-03-14_701"}
    assert [(tender.type, tender.amount, tender.description) for tender in linked.tenders] == [
        ("card", D(-180), "Visa")
    ]
    assert (linked.taxes[0].amount, linked.taxes[0].excluding_tax) == (D(-36), D(-144))
    assert linked.created.isoformat() == "2026-03-15T10:00:00+01:00"
    [soda] = coded.lines
    assert (soda.quantity, soda.paid, soda.tax_amount) == (D(-2), D(-24), D("-2.57"))
    assert soda.extra == {"originalReceipt": "2603141705097001"}
    assert [tender.amount for tender in coded.tenders] == [D(-24)]
    assert [tax.amount for tax in coded.taxes] == [D("-2.57")]
    assert exchange.total == D(-87)
    assert [(line.kind, line.quantity, line.paid) for line in exchange.lines] == [
        (LineKind.RETURN, D(-1), D(-180)),
        (LineKind.PURCHASE, D(1), D(99)),
        (LineKind.ADJUSTMENT, D(6), D(-6)),
    ]
    assert [(tax.percent, tax.amount) for tax in exchange.taxes] == [(D(25), D("-16.20")), (D(12), D("-0.64"))]
    assert exchange.flags == ()


def test_a_return_whose_lines_are_called_sales_is_held() -> None:
    called = (SAMPLES / "return.xml").read_bytes().replace(b"<Return>", b"<Sale>").replace(b"</Return>", b"</Sale>")
    called = called.replace(b' TypeCode="Refund"', b"")
    found = list(records(tillpost_digital_receipt.plugin, called, loyalty="email"))
    reasons = [record.reason for record in found if isinstance(record, Broken)]
    assert [
        "is a return, but its total 180.00 is not paid back" in reasons[0],
        "is a return, but its total 24.00 is not paid back" in reasons[1],
    ] == [True, True]
    assert len(reasons) == len(found) == 3


def test_discounts_are_taken_off_once() -> None:
    already, whole, linked, by_line = receipts(sample("discounts"))
    assert [(line.paid, line.discounts[0].value) for line in already.lines] == [(D(180), D(-20)), (D(90), D(-10))]
    assert [(line.paid, line.discounts[0].value) for line in whole.lines] == [
        (D("193.33"), D("-6.67")),
        (D("96.67"), D("-3.33")),
    ]
    assert sum(line.tax_amount for line in whole.lines) == D(58)
    assert [(line.paid, len(line.discounts)) for line in linked.lines] == [(D(200), 0), (D(90), 1)]
    assert [(line.paid, line.discounts[0].description) for line in by_line.lines] == [(D(150), "MARS")]


def test_rounding_change_and_cash_back() -> None:
    tender, item, article, certificate = receipts(sample("rounding"))
    assert [line.paid for line in tender.lines] == [D("12.50"), D("-0.50")]
    assert [entry.amount for entry in tender.tenders] == [D(12)]
    assert [line.paid for line in item.lines] == [D("12.60"), D("0.40")]
    assert [entry.amount for entry in item.tenders] == [D(20), D(-7)]
    assert [(line.sku, line.kind, line.paid) for line in article.lines] == [
        ("A-5", LineKind.PURCHASE, D("12.40")),
        ("ORE", LineKind.ADJUSTMENT, D("-0.40")),
    ]
    assert (article.created.isoformat(), article.flags) == ("2026-10-25T02:30:00+02:00", ("dst-ambiguous",))
    assert [(line.kind, line.paid, line.tax_amount) for line in certificate.lines] == [
        (LineKind.ADJUSTMENT, D(500), D(0))
    ]
    assert [(entry.type, entry.amount) for entry in certificate.tenders] == [("card", D(600)), ("cash", D(-100))]


def test_a_record_that_is_not_a_sale_has_its_reason() -> None:
    found = [record for record in sample("no-sales") if isinstance(record, NoReceipt)]
    assert [(record.reason.partition(";")[0], record.retail, record.number) for record in found] == [
        ("copy", True, "740"),
        ("training", True, "741"),
        ("post-void of another transaction", True, "742"),
        ("pre-authorised, not paid", True, "743"),
        ("no line items", True, "744"),
        ("no RetailTransaction", False, "745"),
    ]
    assert len(sample("no-sales")) == 6


def test_a_control_unit_belongs_to_the_one_transaction_of_its_digital_receipt() -> None:
    text = (SAMPLES / "sale.xml").read_text(encoding="utf-8")
    alone = text[text.index("<DigitalReceipt") :]
    start, end = alone.index("  <Transaction"), alone.index("  <se:ControlUnit")
    second = alone.replace(">701<", ">702<").replace("SE000TEST0001", "SE000TEST0002")
    both = alone[:end] + alone[start:end].replace(">701<", ">703<") + alone[end:]
    document = f"<batch>{alone}{second}{both}</batch>".encode()
    found = receipts(list(records(tillpost_digital_receipt.plugin, document, loyalty="memberNumber")))
    assert [receipt.id[-3:] for receipt in found] == ["701", "702", "701", "703"]
    units = [receipt.extra.get("controlUnit", "").partition(";")[0] for receipt in found]
    assert units == ["Kontrollenhet: SE000TEST0001", "Kontrollenhet: SE000TEST0002", "", ""]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.xml")), ids=lambda path: str(path.stem))
def test_a_sample_keeps_to_the_schema_and_its_records_read_alone(path: Path) -> None:
    spaces = {
        "http://www.nrf-arts.org/IXRetail/namespace/": "DigitalReceiptV2.0.0.xsd",
        "http://www.w3.org/2005/05/xmlmime": "xmlmime.xsd",
        "http://www.sweretailstandard.se/schemas/namespace/se": "SweArtsDR200ExtV1.0.0.xsd",
    }
    folder = "arts-digital-receipt-se"
    imports = "".join(
        f'<xs:import namespace="{space}" schemaLocation="{export(folder, "schemas", file).as_uri()}"/>'
        for space, file in spaces.items()
    )
    schema = etree.XMLSchema(
        etree.fromstring(f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>')
    )
    schema.assertValid(etree.parse(path))
    for found in sample(path.stem):
        if isinstance(found, Found):
            [alone] = receipts(list(records(tillpost_digital_receipt.plugin, found.raw, loyalty="memberNumber")))
            assert attrs.evolve(alone, raw=found.receipt.raw) == found.receipt


def test_every_sample_has_its_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert {path.stem for path in SAMPLES.glob("*.xml") if f'sample("{path.stem}"' not in text} == set()

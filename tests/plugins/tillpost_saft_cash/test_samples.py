"""Each sample that ships with the adapter, with its figures."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import attrs
import pytest
from lxml import etree

import tillpost_saft_cash
from tests.support.adapter import receipts, records
from tests.support.exports import export
from tillpost.model import Broken, Found, Identifier, LineKind, NoReceipt, Parsed
from tillpost_saft_cash.settings import Settings

SAMPLES = Path(tillpost_saft_cash.__file__).parent / "samples"


def sample(name: str, **settings: object) -> list[Parsed]:
    given = {"customer": "memberNumber", **settings}
    return list(records(tillpost_saft_cash.plugin, SAMPLES / f"{name}.xml", **given))


def test_a_sale() -> None:
    [receipt] = receipts(sample("sale", stores={"Storgata": "600"}))
    assert (receipt.id, receipt.number, receipt.store, receipt.till) == ("600_K1_2026-03-14_501", "501", "600", "K1")
    assert receipt.created.isoformat() == "2026-03-14T17:05:09+01:00"
    lamp, chocolate, rounding = receipt.lines
    assert (lamp.quantity, lamp.paid, lamp.tax_amount, lamp.tax_percent) == (D(2), D(360), D(72), D(25))
    assert [(discount.value, discount.description) for discount in lamp.discounts] == [(D(-40), "Rabatt 10 %")]
    assert (chocolate.article_name, chocolate.article_group, chocolate.paid) == ("Sjokolade", "Mat", D("55.20"))
    assert (rounding.kind, rounding.paid) == (LineKind.ADJUSTMENT, D("-0.20"))
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [("card", D(300)), ("cash", D(115))]
    assert [(tax.description, tax.amount) for tax in receipt.taxes] == [("MVA 25 %", D(72)), ("MVA 15 %", D("7.20"))]
    assert receipt.customer is not None
    assert receipt.customer.identifiers == (
        Identifier("memberNumber", "7001"),
        Identifier("email", "ase.ore@example.com"),
        Identifier("mobilePhone", "+4791234567"),
    )
    assert receipt.flags == ()


def test_returns_however_they_are_signed() -> None:
    signed, unsigned, exchange, correction = receipts(sample("return"))
    for receipt in (signed, unsigned):
        [line] = receipt.lines
        assert (line.kind, line.quantity, line.paid, line.tax_amount) == (LineKind.RETURN, D(-1), D(-200), D(-40))
        assert [(tender.type, tender.amount) for tender in receipt.tenders] == [("card", D(-200))]
        assert (receipt.taxes[0].amount, receipt.taxes[0].excluding_tax) == (D(-40), D(-160))
    assert signed.lines[0].extra == {"originalReceipt": "501"}
    assert unsigned.customer is None  # a supplier
    assert exchange.customer is None  # a number of zeros
    assert [(line.kind, line.paid) for line in exchange.lines] == [
        (LineKind.RETURN, D(-200)),
        (LineKind.PURCHASE, D("27.60")),
        (LineKind.ADJUSTMENT, D("0.40")),
    ]
    assert exchange.total == D(-172)
    deposit, returned = correction.lines
    assert (deposit.kind, deposit.quantity, deposit.paid) == (LineKind.ADJUSTMENT, D(1), D(-2))
    assert (returned.kind, returned.quantity, returned.paid) == (LineKind.RETURN, D(-1), D("-25.30"))
    assert correction.flags == ("correction",)
    assert [(tax.percent, tax.amount) for tax in correction.taxes] == [(D(15), D("-3.30"))]


def test_a_return_payment_that_adds_up_to_a_sale_is_held() -> None:
    unsigned = (
        (SAMPLES / "return.xml").read_bytes().replace(b"<amntTp>D<", b"<amntTp>C<").replace(b"AmntTp>D<", b"AmntTp>C<")
    )
    [broken] = [
        record
        for record in records(tillpost_saft_cash.plugin, unsigned, customer="email")
        if isinstance(record, Broken)
    ]
    assert broken.number == "511"
    assert "is a return payment, but its total 200.00 is not paid back" in broken.reason


def test_discounts_the_lines_do_not_have_off() -> None:
    whole, by_line = receipts(sample("discounts"))
    assert [line.paid for line in whole.lines] == [D("186.67"), D("93.33")]
    assert [line.discounts[0].value for line in whole.lines] == [D("-13.33"), D("-6.67")]
    assert sum(line.tax_amount for line in whole.lines) == whole.taxes[0].amount == D(56)
    assert whole.flags == ()
    lamp, tip = by_line.lines
    assert (lamp.paid, lamp.tax_amount, lamp.discounts[0].description) == (D(150), D(30), "Kundeklubb")
    assert (tip.kind, tip.sku, tip.paid, tip.tax_amount) == (LineKind.ADJUSTMENT, "tip", D(20), D(0))


def test_payments() -> None:
    nameless, euro, unknown, bare = sample("payments", tenders={"GAVE": "giftcard"})
    assert isinstance(nameless, Broken)
    assert "location: has no name; name it in `stores`" in nameless.reason
    [credit, *_] = receipts(sample("payments", stores={"": "1"}))
    assert [(tender.type, tender.amount) for tender in credit.tenders] == [("mobile", D(50)), ("credit", D(150))]
    assert credit.extra == {"invoice": "F-77"}
    first, second, third = receipts([euro, unknown, bare])
    assert [(tender.type, tender.amount, dict(tender.extra)) for tender in first.tenders] == [
        ("cash", D("228.80"), {"currency": "EUR", "exchangeRate": "11.440000"})
    ]
    assert first.till == "K7"
    assert [tender.type for tender in second.tenders] == ["giftcard"]
    assert [tender.type for tender in third.tenders] == ["cash"]  # the authority's code itself
    assert (third.created.isoformat(), third.flags) == ("2026-10-25T02:30:00+02:00", ("dst-ambiguous",))


def test_a_payment_that_is_called_a_rounding_is_a_line() -> None:
    cash, kind = b"<payment><paymentType>KONTANT</paymentType><paidAmnt>28.00</paidAmnt></payment>", b"<basicID>VIPPS<"
    rounding = cash.replace(b"KONTANT", b"RUND").replace(b"28.00", b"-0.40")
    written = (SAMPLES / "payments.xml").read_bytes()
    written = written.replace(cash.replace(b"KONTANT", b"GAVE").replace(b"28.00", b"27.60"), cash + rounding)
    written = written.replace(kind, b"<basicID>RUND<").replace(b"12011<", b"12999<").replace(b">Vipps<", b">Avrunding<")
    [found] = receipts([*records(tillpost_saft_cash.plugin, written, customer="email")][2:3])
    assert (found.number, found.total, found.flags) == ("531", D("28.00"), ("rounding-as-tender",))
    assert [(line.sku, line.paid) for line in found.lines] == [("A-2", D("27.60")), ("rounding", D("0.40"))]
    assert [(tender.type, tender.amount) for tender in found.tenders] == [("cash", D("28.00"))]


def test_a_record_that_is_not_a_sale_has_its_reason() -> None:
    assert [(item.reason, item.retail, item.number) for item in sample("no-sales") if isinstance(item, NoReceipt)] == [
        ("event: application started", False, ""),
        ("event: training receipt printed", False, "540"),
        ("event: copy of a receipt printed", False, "501"),
        ("event: cash drawer opened", False, ""),
        ("event: Z report", False, ""),
        ("event: of an unknown type", False, ""),
        ("training", True, "540"),
        ("voided", True, "541"),
        ("cash declaration", False, "542"),
        ("no lines", True, "543"),
    ]
    assert len(sample("no-sales")) == 10


def test_a_transtype_may_be_explained_by_a_setting() -> None:
    found = sample("payments", transactions={"X": "11010"}, stores={"": "1"})
    assert [record.reason for record in found if isinstance(record, NoReceipt)] == ["pay-out"]
    with pytest.raises(ValueError, match=r"transactions\.X must be one of 11001"):
        Settings(customer="email", transactions={"X": "12001"})


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.xml")), ids=lambda path: str(path.stem))
def test_a_sample_keeps_to_the_schema_and_its_records_read_alone(path: Path) -> None:
    schema = etree.XMLSchema(
        etree.parse(export("saf-t-cash-register-no", "Norwegian_SAF-T_Cash_Register_Schema_v_1.00.xsd"))
    )
    # Denmark's schema is Norway's under its own name, with the certificate of the signature.
    written = path.read_bytes().replace(b"CashRegister:DK", b"CashRegister:NO")
    written = written.replace(b"<certificateData>none</certificateData>", b"")
    schema.assertValid(etree.fromstring(written))
    for found in sample(path.stem, stores={"": "1"}):
        if isinstance(found, Found):
            [alone] = receipts(
                list(records(tillpost_saft_cash.plugin, found.raw, customer="memberNumber", stores={"": "1"}))
            )
            assert attrs.evolve(alone, raw=found.receipt.raw) == found.receipt


def test_every_sample_has_its_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8") + 'sample("denmark"'  # test_denmark.py
    assert {path.stem for path in SAMPLES.glob("*.xml") if f'sample("{path.stem}"' not in text} == set()

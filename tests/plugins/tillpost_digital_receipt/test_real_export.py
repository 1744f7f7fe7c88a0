"""The examples of the Swedish standard, against figures taken by lxml alone, without the adapter."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import attrs
import pytest

import tillpost_digital_receipt
from tests.support.adapter import records
from tests.support.exports import export
from tests.support.figures_digital_receipt import DigitalReceiptFigures
from tillpost.model import Broken, Found, Identifier, LineKind, NoReceipt, Parsed, Receipt
from tillpost.model.receipt_json import dumps, loads
from tillpost_digital_receipt.tenders import TYPES

FOLDER = "arts-digital-receipt-se"
NAMES = ("swe-standard-dr-return", "swe-standard-dr-sale", "swe-standard-dr-sample-1")


def content(name: str) -> bytes:
    return export(FOLDER, f"{name}.xml").read_bytes()


def parsed(source: Path | bytes) -> Parsed:
    [record] = records(tillpost_digital_receipt.plugin, source, loyalty="externalId")
    return record


def receipt(source: bytes) -> Receipt:
    record = parsed(source)
    assert isinstance(record, Found), record
    return record.receipt


def original(name: str) -> bytes:
    """The receipt itself, of which the example is marked to be a copy."""
    return content(name).replace(b'se:copy="true"', b"")


def test_one_is_a_receipt_one_is_a_copy_one_does_not_add_up() -> None:
    returned, sale, copy = (parsed(export(FOLDER, f"{name}.xml")) for name in NAMES)
    assert isinstance(returned, Found)
    assert isinstance(sale, Broken)
    assert copy == NoReceipt(reason="copy", place="line 8, transaction 1", retail=True, number="1019900")


def test_the_file_that_does_not_add_up_says_by_how_much() -> None:
    record, figures = parsed(content("swe-standard-dr-sale")), DigitalReceiptFigures(content("swe-standard-dr-sale"))
    assert isinstance(record, Broken)
    assert figures.net is not None
    assert figures.net != figures.total  # rounded to whole crowns
    assert figures.lines - figures.net == D("25.00")
    assert "(difference 25.00)" in record.reason
    assert (record.number, record.store) == ("123789798712300", "RS-0221")
    again = parsed(record.raw)
    assert isinstance(again, Broken)
    assert "difference 25.00" in again.reason


def test_the_same_file_with_the_line_that_is_too_much_mended() -> None:
    # 395.00 - 25.00: then all of it adds up, the rounding to whole crowns too.
    fixed = content("swe-standard-dr-sale").replace(b">395.00</nam:ExtendedAmount>", b">370.00</nam:ExtendedAmount>")
    figures = DigitalReceiptFigures(fixed)
    sale = receipt(fixed)
    assert sale.total == figures.total == D("558.00")
    assert sum(line.paid for line in sale.lines if line.sku != "rounding") == figures.lines == D("558.50")
    assert (sale.lines[-1].kind, sale.lines[-1].paid) == (LineKind.ADJUSTMENT, D("-0.50"))
    assert [(tender.type, tender.amount) for tender in sale.tenders] == [("giftcard", D(503)), ("cash", D(55))]
    assert {tax.percent: tax.amount for tax in sale.taxes} == figures.by_rate == {D(25): D("111.70")}
    assert sum(line.tax_amount for line in sale.lines) == D("111.70")
    # One pack of two with the price of a piece; its discount is off already.
    rope = sale.lines[0]
    assert (rope.quantity, rope.paid, rope.discounts[0].value) == (D(2), D(138), D(-20))
    assert rope.article_group == "säkerhetsdetaljer"
    assert sale.extra == {"receiptCode": "1281111260543493", "organisationId": "1122334444"}


@pytest.mark.parametrize("name", ["swe-standard-dr-return", "swe-standard-dr-sample-1"])
def test_totals_tenders_taxes_and_discounts_agree_to_the_cent(name: str) -> None:
    found, figures = receipt(original(name)), DigitalReceiptFigures(original(name))
    assert found.total == figures.total == figures.lines
    assert found.business_date.isoformat() == figures.day
    assert len(found.lines) == figures.items
    tenders = {TYPES[kind or ""]: amount for kind, amount in figures.by_tender.items()}
    assert {tender.type: tender.amount for tender in found.tenders} == tenders
    assert {tax.percent: tax.amount for tax in found.taxes} == figures.by_rate
    for rate, amount in figures.by_rate.items():
        assert sum(line.tax_amount for line in found.lines if line.tax_percent == rate) == amount
    assert "tax-off" not in found.flags
    assert sum(discount.value for line in found.lines for discount in line.discounts) == figures.discounts


def test_the_return() -> None:
    found = receipt(content("swe-standard-dr-return"))
    assert (found.total, found.tenders[0].amount) == (D(-49), D(-49))
    [line] = found.lines
    assert (line.kind, line.quantity, line.paid, line.tax_amount) == (LineKind.RETURN, D(-1), D(-49), D("-9.80"))
    # The code of the receipt it was bought on: that of the sale among the examples.
    assert line.extra == {"originalReceipt": "1281111260543493"}
    assert found.created.isoformat() == "2017-12-05T21:52:33+01:00"
    assert found.number == "02890093684021"
    assert found.id == "RS-0221_65252_2017-12-05_123789798712433"
    # Ten digits of somebody born in 1922, for 2022 had not come yet; the landline is no mobile phone.
    assert found.customer is not None
    assert found.customer.identifiers == (Identifier("socialSecurityNumber", "192210228884"),)


def test_the_receipt_behind_the_copy() -> None:
    found = receipt(original("swe-standard-dr-sample-1"))
    assert found.total == D(508)
    assert [(tender.type, tender.amount) for tender in found.tenders] == [("giftcard", D(500)), ("card", D(8))]
    rounding = found.lines[-1]
    assert (rounding.kind, rounding.article_name, rounding.paid) == (
        LineKind.ADJUSTMENT,
        "Öresavrundning",
        D("-0.10"),
    )
    assert found.extra["controlUnit"] == "Kontrollenhetens tillverkningsnummer: RIHTT103801065896"
    # Its national id fails the check digit: nobody is named by it, nor by the landline.
    assert found.flags == ("national-id-unclear", "phone-left-out")
    assert found.customer is not None
    assert found.customer.identifiers == (Identifier("email", "someone@email.com"),)


@pytest.mark.parametrize("name", ["swe-standard-dr-return", "swe-standard-dr-sample-1"])
def test_the_raw_record_reads_alone_to_the_same_receipt(name: str) -> None:
    record = parsed(original(name))
    assert isinstance(record, Found)
    assert attrs.evolve(receipt(record.raw), raw=record.receipt.raw) == record.receipt
    assert loads(dumps(record.receipt)) == record.receipt

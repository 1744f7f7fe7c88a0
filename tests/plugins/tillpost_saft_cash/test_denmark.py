"""The Danish SAF-T Cash Register: its sample, as other exporters write it, and telephone numbers."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import pytest

import tillpost_saft_cash
from tests.support.adapter import receipts, records
from tillpost import DocumentError
from tillpost.model import Document, Found, Identifier, LineKind, NoReceipt, Parsed
from tillpost_saft_cash.master_data import MOST_KEPT
from tillpost_saft_cash.recognise import recognise
from tillpost_saft_cash.settings import Settings

SAMPLE = Path(tillpost_saft_cash.__file__).parent / "samples" / "denmark.xml"
NORWAY = SAMPLE.with_name("sale.xml")


def read(content: str, **settings: object) -> list[Parsed]:
    given = {"customer": "externalId", **settings}
    return list(records(tillpost_saft_cash.plugin, content.encode(), **given))


def sales(found: list[Parsed]) -> list[Found]:
    return [record for record in found if isinstance(record, Found)]


def test_a_danish_day() -> None:
    printed, closed, *rest = read(SAMPLE.read_text(encoding="utf-8"))
    assert isinstance(printed, NoReceipt)
    assert isinstance(closed, NoReceipt)
    assert (printed.reason, closed.reason) == ("event: sales receipt printed", "event: Z report")
    sale, cash, back = receipts(rest)
    assert (sale.id, sale.currency, sale.total) == ("Havnegade_KASSE-2_2026-05-02_71", "DKK", D(384))
    assert sale.created.isoformat() == "2026-05-02T10:15:28+02:00"
    assert [(line.kind, line.paid, line.article_name) for line in sale.lines] == [
        (LineKind.PURCHASE, D(360), "Blå lampe"),
        (LineKind.PURCHASE, D(21), "Hyldeblomst 1 l"),
        (LineKind.PURCHASE, D(3), "Pant B"),
    ]
    assert [(discount.value, discount.description) for discount in sale.lines[0].discounts] == [(D(-40), "Tilbud")]
    assert [(tender.type, tender.amount) for tender in sale.tenders] == [("mobile", D(384))]
    assert [(tax.description, tax.amount, tax.excluding_tax) for tax in sale.taxes] == [
        ("Moms 25 %", D("76.20"), D("304.80"))
    ]
    assert sale.customer is not None
    assert sale.customer.identifiers == (
        Identifier("externalId", "K-44"),
        Identifier("email", "kunde44@example.com"),
        Identifier("mobilePhone", "+4520123456"),
    )
    assert (cash.total, cash.lines[1].paid, cash.lines[1].kind) == (D("37.50"), D("0.15"), LineKind.ADJUSTMENT)
    assert (back.total, back.lines[0].kind, back.lines[0].quantity) == (D(-360), LineKind.RETURN, D(-1))
    assert back.lines[0].extra == {"originalReceipt": "71"}
    assert sale.flags == cash.flags == back.flags == ()


def test_the_record_of_a_receipt_is_a_danish_document_again() -> None:
    first, *_ = sales(read(SAMPLE.read_text(encoding="utf-8")))
    [again] = sales(read(first.raw.decode()))
    assert again.receipt.lines == first.receipt.lines
    assert again.receipt.customer == first.receipt.customer


def test_an_exporter_that_writes_prefixes_and_a_capital_root() -> None:
    """One public exporter names the root AuditFile and puts `d1:` before every name of the Danish file."""
    plain = SAMPLE.read_text(encoding="utf-8")
    written = plain.replace("<auditfile xmlns=", "<AuditFile xmlns:d1=").replace("</auditfile>", "</AuditFile>")
    head, _, body = written.partition("<AuditFile")
    prefixed = body.replace("</", "\0").replace("<", "<d1:").replace("\0", "</d1:").replace("<d1:!--", "<!--")
    found, expected = sales(read(f"{head}<d1:AuditFile{prefixed}")), sales(read(plain))
    assert [record.receipt.lines for record in found] == [record.receipt.lines for record in expected]
    assert [record.receipt.id for record in found] == [record.receipt.id for record in expected]


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("20 12 34 56", "+4520123456"),
        ("+45 20123456", "+4520123456"),
        ("0045 20-12-34-56", "+4520123456"),
        ("12345678", ""),
        ("+47 912 34 567", "+4791234567"),
        ("+47 22 12 34 56", ""),
        ("+46701234567", "+46701234567"),
        ("2012345", ""),
    ],
)
@pytest.mark.parametrize("said_by", ["country", "namespace", "setting"])
def test_a_telephone_number_without_a_country_is_danish(written: str, phone: str, said_by: str) -> None:
    content = SAMPLE.read_text(encoding="utf-8").replace("20 12 34 56", written)
    if said_by != "country":
        content = content.replace("<taxRegistrationCountry>DK</taxRegistrationCountry>", "")
    if said_by != "namespace":
        content = content.replace("CashRegister:DK", "CashRegister")
    first, *_ = sales(read(content, **({"country": "DK"} if said_by == "setting" else {})))
    assert first.receipt.customer is not None
    kinds = {identifier.kind: identifier.value for identifier in first.receipt.customer.identifiers}
    assert kinds.get("mobilePhone", "") == phone


@pytest.mark.parametrize(
    ("path", "country", "said"),
    [(SAMPLE, "", "SAF-T Cash Register 1.0.3, Denmark"), (NORWAY, "", "SAF-T Cash Register 1.0, Norway")],
)
def test_country_and_version_are_recognised(path: Path, country: str, said: str) -> None:
    settings = Settings(customer="externalId")
    assert recognise(Document.from_path(path), settings) == said
    assert recognise(Document.from_bytes("d", b"<auditfile/>"), settings) == ""


def test_a_large_file_keeps_only_the_articles_and_customers_its_transactions_name() -> None:
    plain = SAMPLE.read_text(encoding="utf-8")
    many = "".join(f"<article><artID>X{n}</artID><artDesc>x</artDesc></article>" for n in range(MOST_KEPT))
    large = plain.replace("<articles>", f"<articles>{many}").replace("</articles>", f"{many}</articles>")
    assert [record.receipt.lines for record in sales(read(large))] == [
        record.receipt.lines for record in sales(read(plain))
    ]


def test_codes_without_end_are_refused() -> None:
    plain = SAMPLE.read_text(encoding="utf-8")
    many = "".join(f"<basic><basicType>04</basicType><basicID>X{n}</basicID></basic>" for n in range(MOST_KEPT + 1))
    with pytest.raises(DocumentError, match="has more than 50000 codes"):
        read(plain.replace("<basics>", f"<basics>{many}"))


def test_a_transaction_without_lines_whose_payments_do_not_cancel_is_held() -> None:
    plain = SAMPLE.read_text(encoding="utf-8")
    start, end = plain.index("<cashtransaction>"), plain.index("</cashtransaction>")
    for paid, kept in ((("100.00", "-100.00"), "no lines"), (("100.00", "0.00"), "payments sum to 100.00")):
        payments = "".join(
            f"<payment><paymentType>CASH</paymentType><paidAmnt>{amount}</paidAmnt></payment>" for amount in paid
        )
        record = (
            "<cashtransaction><transID>9</transID><transAmntIn>0.00</transAmntIn><amntTp>C</amntTp>"
            f"<transDate>2026-05-02</transDate><transTime>09:00:00</transTime>{payments}"
        )
        parsed = read(plain[:start] + record + plain[end:])[2]
        assert not isinstance(parsed, Found)
        assert kept in parsed.reason

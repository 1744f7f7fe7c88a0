"""Each preset on a made-up file in the vendor's public shape, and settings laid over a preset."""

import tomllib
from decimal import Decimal as D
from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import pytest

import tillpost_table
from tests.support.adapter import parse, receipt, settings
from tests.support.workbook import workbook
from tillpost import DocumentError
from tillpost.model import Found, Identifier, LineKind, NoReceipt, Parsed, Receipt
from tillpost_table.settings import Settings

FOLDER = Path(tillpost_table.__file__).parent
SAMPLES = FOLDER / "samples" / "presets"
PRESETS = sorted(path.stem for path in (FOLDER / "presets").glob("*.toml"))


def given(name: str, **changes: Any) -> dict[str, Any]:
    return tomllib.loads((SAMPLES / f"{name}.toml").read_text(encoding="utf-8")) | changes


def read(name: str, content: bytes | None = None, **changes: Any) -> list[Parsed]:
    values = settings(tillpost_table.plugin, given(name, **changes), SAMPLES)
    return parse(tillpost_table.plugin, SAMPLES / f"{name}.csv" if content is None else content, **values)


def found(name: str, **changes: Any) -> list[Receipt]:
    return [record.receipt for record in read(name, **changes) if isinstance(record, Found)]


def paid(result: Receipt) -> list[tuple[str, D]]:
    return [(tender.type, tender.amount) for tender in result.tenders]


def test_every_preset_has_its_file_its_name_and_its_sample() -> None:
    assert set(get_args(get_type_hints(Settings)["preset"])) == {"", *PRESETS}
    assert sorted(path.stem for path in SAMPLES.glob("*.csv")) == PRESETS
    known = {field.name for field in attrs.fields(Settings)}
    for name in PRESETS:
        written = (FOLDER / "presets" / f"{name}.toml").read_text(encoding="utf-8")
        assert tomllib.loads(written).keys() <= known
        assert written.startswith("# ")


def test_square_items() -> None:
    sale, back = found("square-items")
    assert (sale.number, sale.store, sale.total) == ("payA1", "Harbour", D("1324.98"))
    assert [(line.sku, line.quantity, line.paid, line.tax_amount) for line in sale.lines] == [
        ("TAB-1", D("1.0"), D("1299.00"), D("99.00")),
        ("Fern print", D("2.0"), D("25.98"), D("1.98")),
    ]
    assert sale.lines[0].discounts[0].value == D("-50.00")
    assert sale.customer is not None
    assert sale.customer.identifiers == (Identifier("externalId", "CU-77"),)
    assert sale.created.isoformat() == "2026-05-04T10:15:00-07:00"
    assert (back.lines[0].kind, back.total, back.lines[0].quantity) == (LineKind.RETURN, D("-12.99"), D("-1.0"))


def test_loyverse() -> None:
    records = read("loyverse")
    assert [type(record) for record in records] == [NoReceipt, Found, Found]
    back, sale = found("loyverse")
    assert (back.total, back.lines[0].kind) == (D("-4.20"), LineKind.RETURN)
    assert (sale.id, sale.total) == ("Old%20Town_POS%201_2026-05-04_1-1001", D("13.80"))
    assert [(line.quantity, line.tax_amount) for line in sale.lines] == [
        (D("2.000"), D("1.50")),
        (D("0.350"), D("1.26")),
    ]
    [held, *_] = [record for record in read("loyverse", date="") if not isinstance(record, NoReceipt)]
    assert "is not a time such as 2026-01-31 14:30:00; set `date`" in str(held)


def test_sumup() -> None:
    sale, back = found("sumup")
    assert (sale.number, sale.currency, sale.total, paid(sale)) == ("TAA1BB2CC3", "CHF", D(1209), [("card", D(1209))])
    assert [(line.sku, line.tax_percent) for line in sale.lines] == [("Filter coffee", D("2.6")), ("amount", D("8.1"))]
    assert (back.total, paid(back)) == (D("-4.50"), [("cash", D("-4.50"))])


def test_odoo_pos() -> None:
    records = read("odoo-pos")
    sale, back = found("odoo-pos")
    assert (sale.number, sale.total, paid(sale)) == (
        "Order 00012-004-0001",
        D(87),
        [("cash", D(100)), ("cash", D(-13))],
    )
    assert [(line.sku, line.paid) for line in sale.lines] == [("DESK-1", D(60)), ("LAMP-1", D(27))]
    assert (back.total, paid(back)) == (D(-60), [("card", D(-60))])
    assert isinstance(records[-1], NoReceipt)
    assert records[-1].reason == "suspended"


def test_shopify_orders_csv() -> None:
    sale, on_top = found("shopify-orders-csv")
    assert (sale.total, paid(sale)) == (D("519.00"), [("card", D("519.00"))])
    assert [(line.sku, line.paid) for line in sale.lines] == [
        ("FERN-1", D("282.00")), ("Tote bag", D("188.00")), ("charges", D("49.00"))
    ]  # fmt: skip
    assert sum(line.tax_amount for line in sale.lines) == D("103.80")
    assert sale.flags == ()
    assert (on_top.total, on_top.lines[0].paid, on_top.lines[0].tax_amount) == (D("43.30"), D("43.30"), D("3.30"))
    assert on_top.flags == ("tax-by-total",)
    skipped = read("shopify-orders-csv")[-1]
    assert isinstance(skipped, NoReceipt)
    assert (skipped.reason, skipped.retail) == ("not paid", True)


def test_zettle_receipts() -> None:
    sale, back = found("zettle-receipts")
    assert (sale.number, sale.total, paid(sale)) == ("2041", D(125), [("card", D(125))])
    assert (sale.lines[0].article_name, sale.created.isoformat()) == ("2 x Blue mug", "2026-05-04T10:00:03+02:00")
    assert (back.lines[0].kind, back.total, paid(back)) == (LineKind.RETURN, D("-62.50"), [("swish", D("-62.50"))])
    rows: list[list[Any]] = [["Receipts"], [], ["Dato", "Kvitteringsnummer", "Total", "Betalingsmetode", "Beskrivelse"]]
    rows += [[46146.5, 2041, 125.0, "Card", "Mug"]]
    danish = {
        "number": "Kvitteringsnummer",
        "created": "Dato",
        "article_name": "Beskrivelse",
        "tender_type": "Betalingsmetode",
    }
    [only] = read("zettle-receipts", workbook(rows), columns=danish)
    assert (receipt(only).total, receipt(only).created.hour) == (D(125), 12)


def test_settings_are_laid_over_a_preset() -> None:
    values = settings(
        tillpost_table.plugin, given("loyverse", columns={"till": "", "sku": "Barcode"}, tax="on top"), SAMPLES
    )
    assert "till" not in values["columns"]
    assert (values["columns"]["sku"], values["columns"]["number"], values["tax"]) == (
        "Barcode",
        "Receipt number",
        "on top",
    )
    assert values["skip"] == {"Status": {"Cancelled": "voided", "Voided": "voided"}}
    with pytest.raises(
        DocumentError, match=r'lacks the column "Barcode" .*Set columns.sku = "" where a preset names it'
    ):
        read("loyverse", columns={"sku": "Barcode"})
    with pytest.raises(AssertionError, match=r"preset: must be .*loyverse.*, and is .square.") as caught:
        read("loyverse", preset="square")
    assert "zettle-receipts" in str(caught.value)
    with pytest.raises(AssertionError, match="columns or constants must have currency"):
        read("loyverse", constants={})

"""Each sample that ships with the adapter, read by the mapping beside it, with its figures."""

from decimal import Decimal as D
from pathlib import Path

import pytest

import tillpost_table
from tests.support.adapter import parse, receipt, settings
from tillpost.model import Found, Identifier, LineKind, NoReceipt, Parsed, Receipt

SAMPLES = Path(tillpost_table.__file__).parent / "samples"
FILES = ["butik.csv", "payments.tsv", "nested.jsonl"]


def read(name: str, content: bytes | None = None) -> list[Parsed]:
    """A sample by its mapping, or other bytes by the same."""
    path = SAMPLES / name
    given = settings(tillpost_table.plugin, path.with_suffix(".toml"), SAMPLES)
    return parse(tillpost_table.plugin, path if content is None else content, **given)


def found(name: str) -> list[Receipt]:
    return [parsed.receipt for parsed in read(name) if isinstance(parsed, Found)]


def paid(result: Receipt) -> list[tuple[str, D]]:
    return [(tender.type, tender.amount) for tender in result.tenders]


def test_swedish_marks_a_code_page_and_two_columns_of_time() -> None:
    sale, *_ = found("butik.csv")
    assert (sale.id, sale.number, sale.till) == ("0600_02_2026-03-14_001041", "001041", "02")
    assert sale.created.isoformat() == "2026-03-14T17:05:09+01:00"
    assert [(line.sku, line.article_name, line.quantity, line.paid, line.tax_amount) for line in sale.lines] == [
        ("00123", "Löparsko", D(1), D("1000.00"), D("200.00")),
        ("00124", 'Bar; med "nötter"', D(3), D("57.00"), D("6.11")),
        ("00125", "Kaffe (lösvikt)", D("0.25"), D("2.50"), D("0.27")),
    ]
    assert [d.value for line in sale.lines for d in line.discounts] == [D("-200.00")]
    assert paid(sale) == [("card", D("1000.00")), ("cash", D("59.50"))]
    assert sale.customer is not None
    assert sale.customer.identifiers == (Identifier("externalId", "K-7"), Identifier("email", "asa.oberg@example.com"))
    assert sale.customer.attributes == {"firstName": "Åsa"}


def test_a_return_marked_by_its_kind_may_have_no_sign() -> None:
    _, back, _ = found("butik.csv")
    [shoe] = back.lines
    assert (back.total, paid(back)) == (D("-1000.00"), [("card", D("-1000.00"))])
    assert (shoe.kind, shoe.quantity, shoe.paid, shoe.tax_amount) == (LineKind.RETURN, D(-1), D(-1000), D(-200))
    assert shoe.extra == {"originalReceipt": "001041"}


def test_training_and_void_are_skipped_and_a_void_row_is_ignored() -> None:
    reasons = [(record.reason, record.number) for record in read("butik.csv") if isinstance(record, NoReceipt)]
    assert reasons == [("training", "001043"), ("voided", "001045")]
    sale = read("butik.csv")[0]
    assert isinstance(sale, Found)
    assert "00999" not in {line.sku for line in sale.receipt.lines}
    assert b"Struken rad" in sale.raw


def test_a_deposit_handed_back_in_the_hour_the_clock_showed_twice() -> None:
    *_, last = found("butik.csv")
    assert [(line.kind, line.paid) for line in last.lines] == [
        (LineKind.PURCHASE, D("5.00")),
        (LineKind.ADJUSTMENT, D("-2.00")),
    ]
    assert (last.total, last.flags) == (D("3.00"), ("dst-ambiguous",))


def test_payments_in_rows_of_their_own_and_columns_by_number() -> None:
    sale, back = found("payments.tsv")
    assert (sale.store, sale.total) == ("chicago-17", D("1020.57"))
    assert [(line.sku, line.paid, line.tax_amount, line.tax_percent) for line in sale.lines] == [
        ('5" pipe', D("20.57"), D("1.57"), D("8.25")),
        ("NAILS", D("1000.00"), D(0), D(0)),
    ]
    assert paid(sale) == [("card", D("1000.00")), ("cash", D("40.00")), ("cash", D("-19.43"))]
    assert sale.created.isoformat() == "2026-11-01T01:30:00-05:00"
    assert (back.total, back.lines[0].quantity, paid(back)) == (D("-10.83"), D(-1), [("giftcard", D("-10.83"))])


def test_json_lines_with_their_rows_inside() -> None:
    sale, back = found("nested.jsonl")
    assert (sale.id, sale.total, paid(sale)) == ("0042_1_2026-06-02_7001", D("150.5"), [("card", D("150.5"))])
    assert [(line.sku, line.quantity, line.paid) for line in sale.lines] == [
        ("7031234567890", D(1), D("50.50")),
        ("7039876543210", D(2), D("100")),
    ]
    assert sale.customer is not None
    assert sale.customer.identifiers == (Identifier("memberNumber", "0009"),)
    assert (back.total, back.customer) == (D(-50), None)
    assert isinstance(read("nested.jsonl")[2], NoReceipt)


@pytest.mark.parametrize("name", FILES)
def test_every_record_reads_again_from_its_own_bytes(name: str) -> None:
    for parsed in read(name):
        if isinstance(parsed, Found):
            [again] = read(name, parsed.raw)
            assert receipt(again).lines == parsed.receipt.lines
            assert receipt(again).id == parsed.receipt.id
            assert isinstance(again, Found)
            assert again.raw == parsed.raw


def test_every_sample_has_its_mapping_and_its_test() -> None:
    assert sorted(path.name for path in SAMPLES.glob("*.*") if path.suffix != ".toml") == sorted(FILES)

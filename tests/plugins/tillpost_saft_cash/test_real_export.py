"""The tax authority's own example, against figures taken by lxml alone, without the adapter."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

import tillpost_saft_cash
from tests.support.adapter import records
from tests.support.exports import export
from tests.support.figures_saft_cash import SaftFigures
from tillpost.model import Broken, Found, LineKind, NoReceipt, Parsed, Receipt
from tillpost.model.receipt_json import dumps, loads
from tillpost_saft_cash.codes import EVENTS, PAYMENTS, TRANSACTIONS

FOLDER = "saf-t-cash-register-no"


@pytest.fixture
def path() -> Path:
    return export(FOLDER, "example-2021.xml")


@pytest.fixture
def figures(path: Path) -> SaftFigures:
    return SaftFigures(path)


@pytest.fixture
def parsed(path: Path) -> list[Parsed]:
    return list(records(tillpost_saft_cash.plugin, path, customer="externalId"))


@pytest.fixture
def receipts(parsed: list[Parsed]) -> list[Receipt]:
    return [found.receipt for found in parsed if isinstance(found, Found)]


def test_every_record_is_accounted_for(parsed: list[Parsed], figures: SaftFigures) -> None:
    assert not [record for record in parsed if isinstance(record, Broken)]
    assert sum(isinstance(record, Found) for record in parsed) == len(figures.totals) == 4
    events = [record for record in parsed if isinstance(record, NoReceipt)]
    assert not any(event.retail for event in events)
    expected = Counter({f"event: {EVENTS[code or '']}": count for code, count in figures.events.items()})
    assert Counter(event.reason for event in events) == expected
    assert expected["event: Z report"] == 1
    assert len({record.place for record in events}) == len(events) == 18


def test_totals_by_receipt_and_day_agree_to_the_cent(receipts: list[Receipt], figures: SaftFigures) -> None:
    assert {receipt.number: receipt.total for receipt in receipts} == figures.totals
    assert sum(figures.totals.values()) == Decimal("513.80")
    by_day: dict[str, Decimal] = defaultdict(Decimal)
    for receipt in receipts:
        by_day[receipt.business_date.isoformat()] += receipt.total
    assert by_day == figures.by_day == {"2020-01-01": Decimal("513.80")}


def test_tenders_agree_with_the_payments_and_with_the_z_report(receipts: list[Receipt], figures: SaftFigures) -> None:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for receipt in receipts:
        for tender in receipt.tenders:
            totals[tender.type] += tender.amount
    assert totals == {PAYMENTS[code or ""]: amount for code, amount in figures.by_tender.items()}
    assert totals == {"cash": Decimal("295.00"), "card": Decimal("218.80")}
    # The authority's Z report counts the sales before coins were rounded.
    assert sum(totals.values()) - figures.rounded == figures.z_sales_net == Decimal("514.20")
    assert figures.z_payments["12001"] == totals["cash"]


def test_taxes_agree_by_rate(receipts: list[Receipt], figures: SaftFigures) -> None:
    totals: dict[Decimal, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    lines: dict[Decimal, Decimal] = defaultdict(Decimal)
    for receipt in receipts:
        assert "tax-off" not in receipt.flags
        for tax in receipt.taxes:
            amount, base = totals[tax.percent]
            totals[tax.percent] = (amount + tax.amount, base + tax.excluding_tax)
        for line in receipt.lines:
            lines[line.tax_percent] += line.tax_amount
    assert totals == figures.by_rate
    assert totals[Decimal(15)] == (Decimal("13.42"), Decimal("89.38"))
    assert totals[Decimal(25)] == (Decimal("82.28"), Decimal("329.12"))
    assert {rate: lines[rate] for rate in totals} == {rate: amount for rate, (amount, _) in totals.items()}


def test_the_traps_of_the_file(receipts: list[Receipt], figures: SaftFigures) -> None:
    returned = receipts[3]
    [line] = returned.lines
    # Negative and marked D: turned once, not twice.
    assert (line.kind, line.quantity, line.paid) == (LineKind.RETURN, Decimal(-1), Decimal("-16.40"))
    assert [tender.amount for tender in returned.tenders] == [Decimal("-16.40")]
    rounding = receipts[1].lines[-1]
    assert (rounding.kind, rounding.sku, rounding.paid) == (LineKind.ADJUSTMENT, "rounding", Decimal("-0.40"))
    # receiptNum is 1 on all four.
    assert len({receipt.id for receipt in receipts}) == 4
    assert receipts[0].created.isoformat() == "2020-01-01T09:00:00+01:00"
    assert receipts[0].lines[0].article_name == "TineMelk Lett 1 l"
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for receipt in receipts:
        for item in receipt.lines:
            totals[item.article_number] += item.quantity if item.article_number else 0
    assert {number: count for number, count in totals.items() if number} == figures.quantities


def test_the_raw_record_reads_alone_to_the_same_receipt(parsed: list[Parsed]) -> None:
    for found in parsed:
        if isinstance(found, Found):
            [alone] = records(tillpost_saft_cash.plugin, found.raw, customer="externalId")
            assert isinstance(alone, Found)
            assert (alone.receipt.id, alone.receipt.lines, alone.receipt.tenders, alone.receipt.taxes) == (
                found.receipt.id,
                found.receipt.lines,
                found.receipt.tenders,
                found.receipt.taxes,
            )
            assert loads(dumps(found.receipt)) == found.receipt


def test_a_file_whose_line_was_edited_says_by_how_much(path: Path) -> None:
    edited = path.read_bytes().replace(b"<lineAmntIn>25.80<", b"<lineAmntIn>25.10<")
    found = list(records(tillpost_saft_cash.plugin, edited, customer="externalId"))
    [broken] = [record for record in found if isinstance(record, Broken)]
    assert broken.number == "1000"
    assert "(difference -0.70)" in broken.reason
    assert sum(isinstance(record, Found) for record in found) == 3


@pytest.mark.parametrize(("name", "table"), [("11", TRANSACTIONS), ("12", PAYMENTS), ("13", EVENTS)])
def test_the_tables_have_every_code_of_the_authority(name: str, table: dict[str, object]) -> None:
    file = export(FOLDER, "codelists", f"PredefinedBasicID-{name}.csv")
    rows = csv.reader(file.read_text(encoding="latin-1").splitlines(), delimiter=";")
    assert {row[0] for row in rows if row and row[0].isdecimal()} == set(table)

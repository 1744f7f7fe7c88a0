"""The sums of a closing held against its receipts: a difference is said, and no way to count is taken for one."""

from __future__ import annotations

import re
from typing import Any

import pytest

import tillpost_dsfinvk
from tests.plugins.tillpost_dsfinvk.written import Written, packed, unpacked
from tests.support.adapter import parse
from tillpost.model import Broken, Found, NoReceipt, Parsed

PLUGIN = tillpost_dsfinvk.plugin


def sold(export: Written, bon: str, total: str, kind: str = "Bar", **head: str) -> Written:
    export.head(bon, total, **head).line(bon, "1", "A", "1,000", total)
    return export.pay(bon, kind, total)


def day() -> Written:
    """Two sales: 5.00 in cash, 20.00 by card."""
    return sold(sold(Written(), "1", "5,00"), "2", "20,00", "Kreditkarte")


def read(export: Written, **settings: Any) -> list[Parsed]:
    return parse(PLUGIN, export.zip(), **settings)


def difference(export: Written, **settings: Any) -> str:
    """Why the closing is held; "" when it is not. The receipts are read in any case."""
    *receipts, last = read(export, **settings)
    assert all(not isinstance(record, Broken) for record in receipts)
    return last.reason if isinstance(last, Broken) else ""


def test_a_closing_that_is_the_sum_of_its_receipts_is_no_record() -> None:
    export = day().closed(payments="25,00", cash="5,00")
    export.add("payment", ZAHLART_TYP="Bar", Z_ZAHLART_BETRAG="5,00")
    export.add("payment", ZAHLART_TYP="Kreditkarte", Z_ZAHLART_BETRAG="20,00")
    export.add("businesscases", GV_TYP="Umsatz", UST_SCHLUESSEL="1", Z_UMS_BRUTTO="25,00")
    assert [type(record) for record in read(export)] == [Found, Found]


@pytest.mark.parametrize("decimal", [",", "."])
def test_a_receipt_that_is_missing_is_said_with_the_difference_and_the_others_are_read(decimal: str) -> None:
    export = day().closed(payments="33,50", cash="13,50")
    export.decimal = decimal
    *receipts, held = read(export)
    assert [type(record) for record in receipts] == [Found, Found]
    assert isinstance(held, Broken)
    assert held.place == "cashpointclosing.csv, line 2"
    assert held.reason.startswith("closing 7 of till 3 is not the sum of its receipts: ")
    assert "the payments sum to 25.00, Z_SE_ZAHLUNGEN is 33.50 (difference -8.50)" in held.reason
    assert 'or set `closings = "ignore"`' in held.reason


@pytest.mark.parametrize(
    ("table", "column", "amount", "said"),
    [
        ("payment", "Z_ZAHLART_BETRAG", "30,00", "payments sum to 25.00, Z_ZAHLART_BETRAG is 30.00 (difference -5.00)"),
        ("payment", "Z_ZAHLART_BETRAG", "20,00", "payments sum to 25.00, Z_ZAHLART_BETRAG is 20.00 (difference 5.00)"),
        ("businesscases", "Z_UMS_BRUTTO", "24,99", "totals sum to 25.00, Z_UMS_BRUTTO is 24.99 (difference 0.01)"),
    ],
)
def test_each_file_of_sums_is_compared(table: str, column: str, amount: str, said: str) -> None:
    assert said in difference(day().add(table, **{column: amount}))


def test_cash_alone_may_differ() -> None:
    said = difference(day().closed(payments="25,00", cash="15,00"))
    assert "the cash payments sum to 5.00, Z_SE_BARZAHLUNGEN is 15.00 (difference -10.00)" in said


@pytest.mark.parametrize(
    ("payments", "cash"),
    [
        ("20,00", "5,00"),  # Z_SE_ZAHLUNGEN of what is not cash, as some write it
        ("0,00", "0,00"),  # not filled in
        ("", ""),
        ("25,001", "5,00"),  # of amounts with more digits
    ],
)
def test_ways_to_sum_that_were_met_are_no_difference(payments: str, cash: str) -> None:
    assert difference(day().closed(payments=payments, cash=cash)) == ""


def test_voided_receipts_count_with_what_takes_them_back_or_not_at_all() -> None:
    def voided() -> Written:
        return sold(day(), "3", "7,00", BON_STORNO="1")

    assert difference(voided().closed(payments="32,00")) == ""
    assert difference(voided().closed(payments="25,00")) == ""
    assert "without voided receipts: " in difference(voided().closed(payments="30,00"))


def test_trainings_may_be_in_the_sums_or_not() -> None:
    assert difference(_training(day()).closed(payments="25,00")) == ""
    assert difference(_training(day()).closed(payments="32,00")) == ""


def _training(export: Written) -> Written:
    export.head("3", "7,00", kind="AVTraining").line("3", "1", "A", "1,000", "7,00")
    return export.pay("3", "Bar", "7,00")


def test_cash_moved_without_a_sale_may_be_in_the_business_cases() -> None:
    export = day().add("businesscases", GV_TYP="Umsatz", Z_UMS_BRUTTO="25,00")
    export.add("businesscases", GV_TYP="Anfangsbestand", Z_UMS_BRUTTO="150,00")
    assert difference(export) == ""


def test_a_receipt_that_is_held_counts_with_what_it_says() -> None:
    export = day().head("3", "9,00").line("3", "1", "A", "1,000", "8,00").pay("3", "Bar", "9,00")
    assert [type(record) for record in read(export.closed(payments="34,00"))] == [Found, Found, Broken]


def test_each_closing_is_compared_with_its_own_receipts() -> None:
    export = day().closed(payments="25,00")
    export.closing = "8"
    export.master()
    sold(export, "1", "5,00").closed(payments="5,50")
    assert "closing 8 of till 3" in difference(export)
    assert len(read(export)) == 4


def test_a_closing_of_which_no_receipt_is_in_the_export_is_held_beside_one_that_is_whole() -> None:
    export = day().closed(payments="25,00")
    export.closing = "8"
    export.master()
    export.closed(payments="5,50")
    assert "sum to 0.00, Z_SE_ZAHLUNGEN is 5.50" in difference(export)


def test_sums_that_cannot_be_read_are_said() -> None:
    assert "not a number such as" in difference(day().closed(payments="viel"))


def test_a_till_that_sums_otherwise_is_told_so_and_what_is_held_is_let_go() -> None:
    export = day().closed(payments="33,50").add("payment", ZAHLART_TYP="Bar", Z_ZAHLART_BETRAG="33,50")
    assert difference(export, closings="ignore") == ""
    *_, held = read(export)
    assert isinstance(held, Broken)
    [again] = parse(PLUGIN, held.raw)
    assert isinstance(again, Broken)
    [let_go] = parse(PLUGIN, held.raw, closings="ignore")
    assert isinstance(let_go, NoReceipt)
    assert let_go.reason == "closing 7 of till 3 is not compared with its receipts, by `closings`"


def test_the_record_of_a_receipt_is_read_alone_and_has_no_sums() -> None:
    export = day().closed(payments="25,00").add("payment", ZAHLART_TYP="Bar", Z_ZAHLART_BETRAG="25,00")
    for record in read(export):
        assert isinstance(record, Found)
        assert b"[payment.csv]" not in record.raw
        assert [type(each) for each in parse(PLUGIN, record.raw)] == [Found]


def test_sums_alone_without_receipts_are_held_though_the_closing_names_none() -> None:
    export = Written().add("payment", ZAHLART_TYP="Bar", Z_ZAHLART_BETRAG="12,00")
    [held] = read(export)
    assert isinstance(held, Broken)
    assert (
        held.reason == "closing 7 of till 3 has sums (cashpointclosing.csv), and transactions.csv none of its receipts"
    )
    [again] = parse(PLUGIN, held.raw)
    assert isinstance(again, Broken)


def test_the_sums_are_known_by_their_names_in_the_standard() -> None:
    files = unpacked(day().add("payment", ZAHLART_TYP="Bar", Z_ZAHLART_BETRAG="30,00").zip(index=""))
    files["Z_Zahlart.csv"] = files.pop("payment.csv")
    *_, last = parse(PLUGIN, packed(files))
    assert isinstance(last, Broken)
    assert re.search(r"difference -5\.00", last.reason)

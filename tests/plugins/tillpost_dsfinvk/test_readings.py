"""What the fields of an export mean, in the ways tills write them: the reading that adds up, and its flag."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import tillpost_dsfinvk
from tests.plugins.tillpost_dsfinvk.written import Written
from tests.support.adapter import parse, receipt, receipts
from tillpost.model import Broken, Found, NoReceipt, Parsed, Receipt

PLUGIN = tillpost_dsfinvk.plugin


def read(export: Written, **settings: Any) -> list[Parsed]:
    return parse(PLUGIN, export.zip(), **settings)


def one(export: Written, **settings: Any) -> Receipt:
    [parsed] = read(export, **settings)
    return receipt(parsed)


def held(export: Written, **settings: Any) -> str:
    [parsed] = read(export, **settings)
    assert isinstance(parsed, Broken), parsed
    return parsed.reason


def unsent(export: Written, **settings: Any) -> NoReceipt:
    [parsed] = read(export, **settings)
    assert isinstance(parsed, NoReceipt), parsed
    return parsed


def lines(found: Receipt) -> list[tuple[str, str, str, str]]:
    return [(line.kind.value, line.sku, f"{line.quantity:f}", f"{line.paid:f}") for line in found.lines]


def tenders(found: Receipt) -> list[tuple[str, str]]:
    return [(tender.type, f"{tender.amount:f}") for tender in found.tenders]


def sold(total: str = "5,00", **head: str) -> Written:
    """A head and its one article, without payments."""
    return Written().head("1", total, **head).line("1", "1", "A", "1,000", total)


# --- voids ----------------------------------------------------------------------------------------------------------


def test_a_receipt_marked_as_voided_is_skipped_and_names_itself_as_taken_back() -> None:
    sale = one(sold().pay("1", "Bar", "5,00"))
    for export in (sold(BON_STORNO="1"), sold(kind="AVBelegstorno"), sold(BON_STORNO="true")):
        record = unsent(export.pay("1", "Bar", "5,00"))
        assert (record.reason, record.retail, record.number, record.till) == ("voided", True, "1", "3")
        assert record.voids == sale.id


def test_a_receipt_marked_as_voided_that_gives_money_back_is_the_return() -> None:
    export = (
        Written().head("2", "-5,00", BON_STORNO="1").line("2", "1", "A", "-1,000", "-5,00").pay("2", "Bar", "-5,00")
    )
    export.add("references", BON_ID="2", REF_TYP="Transaktion", REF_Z_KASSE_ID="3", REF_Z_NR="7", REF_BON_ID="1")
    found = one(export)
    assert (found.total, found.flags) == (Decimal("-5.00"), ("storno-as-return",))
    assert found.lines[0].extra == {"originalReceipt": "1"}
    export.rows["transactions"][0]["UMS_BRUTTO"] = "5,00"
    assert (one(export).total, one(export).flags) == (Decimal("-5.00"), ("sign-by-amount", "storno-as-return"))


@pytest.mark.parametrize("mark", [{"BON_STORNO": "1"}, {"kind": "AVBelegstorno"}])
def test_a_void_of_a_receipt_that_has_the_mark_itself_is_no_second_void(mark: dict[str, str]) -> None:
    export = sold(**mark).pay("1", "Bar", "5,00")
    export.head("2", "-5,00").line("2", "1", "A", "-1,000", "-5,00").pay("2", "Bar", "-5,00")
    export.add("references", BON_ID="2", REF_TYP="Transaktion", REF_BON_ID="1")
    assert [record.reason for record in read(export) if isinstance(record, NoReceipt)] == [
        "voided",
        "takes back a receipt that is voided itself",
    ]


POSITIONS = {
    "the mark alone": [("B", "1,000", "3,00", "1")],
    "a row that takes it back": [("B", "1,000", "3,00", "0"), ("B", "-1,000", "-3,00", "1")],
    "both marked": [("B", "1,000", "3,00", "1"), ("B", "-1,000", "-3,00", "1")],
    "two taken back at once": [("B", "2,000", "3,00", "0"), ("B", "-2,000", "-3,00", "1")],
}


@pytest.mark.parametrize("rows", POSITIONS.values(), ids=POSITIONS)
def test_a_voided_position_is_not_sold(rows: list[tuple[str, str, str, str]]) -> None:
    export = sold()
    for at, (sku, quantity, gross, mark) in enumerate(rows, 2):
        export.line("1", str(at), sku, quantity, gross, P_STORNO=mark)
    found = one(export.pay("1", "Bar", "5,00"))
    assert (lines(found), found.flags) == ([("purchase", "A", "1.000", "5.00")], ())


def test_one_piece_of_two_is_taken_back() -> None:
    export = Written().head("1", "3,00").line("1", "1", "B", "2,000", "6,00", tax="0,96")
    export.line("1", "2", "B", "-1,000", "-3,00", tax="-0,48", P_STORNO="1").pay("1", "Bar", "3,00")
    [line] = one(export).lines
    assert (line.quantity, line.paid, line.tax_amount) == (Decimal(1), Decimal("3.00"), Decimal("0.48"))


def test_a_position_that_was_voided_and_is_in_the_total_is_sold_with_a_flag() -> None:
    export = sold("8,00").line("1", "2", "B", "1,000", "3,00", P_STORNO="1").pay("1", "Bar", "11,00")
    export.rows["transactions"][0]["UMS_BRUTTO"] = "11,00"
    found = one(export)
    assert (len(found.lines), found.flags) == (2, ("void-ignored",))


def test_a_void_without_its_sign_takes_back_what_stands_before_it() -> None:
    export = sold().line("1", "2", "B", "1,000", "3,00").line("1", "3", "B", "1,000", "3,00", P_STORNO="1")
    found = one(export.pay("1", "Bar", "5,00"))
    assert (lines(found), found.flags) == ([("purchase", "A", "1.000", "5.00")], ("void-sign",))


def test_where_no_reading_adds_up_each_is_named_with_its_difference() -> None:
    export = sold("9,99").line("1", "2", "B", "1,000", "3,00", P_STORNO="1").pay("1", "Bar", "9,00")
    export.rows["transactions"][0]["UMS_BRUTTO"] = "9,00"
    reason = held(export)
    assert (
        "voided positions taken out: lines.csv: the positions sum to 9.99, UMS_BRUTTO is 9.00 (difference 0.99)"
        in reason
    )
    assert "voided positions sold: lines.csv: the positions sum to 12.99" in reason


# --- payments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "amount", "flags"), [
    ("Rückgeld", "-5,00", ()),
    ("Wechselgeld", "5,00", ("change-in-tender",)),
    ("Change", "5,00", ("change-in-tender",)),
])  # fmt: skip
def test_change_is_negative_cash_with_its_sign_or_without(name: str, amount: str, flags: tuple[str, ...]) -> None:
    found = one(sold().pay("1", "Bar", "10,00").pay("1", "Unbar", amount, ZAHLART_NAME=name))
    assert sum(tender.amount for tender in found.tenders) == found.total == Decimal("5.00")
    assert (found.tenders[1].amount, found.flags) == (Decimal("-5.00"), flags)


@pytest.mark.parametrize(("total", "cash", "rounding", "by"), [
    ("69,60", "70,00", "-0,40", "0.40"),
    ("69,60", "70,00", "0,40", "0.40"),
    ("70,00", "70,00", "0,40", "0.40"),
    ("69,62", "69,60", "0,02", "-0.02"),
])  # fmt: skip
def test_a_rounding_among_the_payments_is_a_line(total: str, cash: str, rounding: str, by: str) -> None:
    export = Written().head("1", total).line("1", "1", "A", "1,000", total if total != cash else "69,60")
    found = one(export.pay("1", "Bar", cash).pay("1", "Unbar", rounding, ZAHLART_NAME="Rundung"))
    assert tenders(found) == [("cash", cash.replace(",", "."))]
    assert lines(found)[1] == ("adjustment", "rounding", "1", by)
    assert found.flags == ("rounding-as-tender",)


def test_payments_of_a_return_without_a_sign_are_negative() -> None:
    export = Written().head("1", "-5,00").line("1", "1", "A", "-1,000", "-5,00").pay("1", "Bar", "5,00")
    found = one(export)
    assert (tenders(found), found.flags) == ([("cash", "-5.00")], ("sign-by-amount",))


def test_payments_that_do_not_add_up_are_held_with_the_difference() -> None:
    reason = held(sold().pay("1", "Bar", "4,00"))
    assert reason.endswith("datapayment.csv: payments sum to 4.00, to pay is 5.00 (difference -1.00)")


@pytest.mark.parametrize(("kind", "name", "expected"), [
    ("Bar", "Kasse", "cash"),
    ("ECKarte", "", "card"),
    ("Kreditkarte", "VISA", "card"),
    ("ElZahlungsdienstleister", "PayPal", "wallet"),
    ("Guthabenkarte", "Mitarbeiterkarte", "giftcard"),
    ("GuthabenKarte", "", "giftcard"),
    ("Unbar", "EC-Cash", "card"),
    ("Unbar", "Girocard", "card"),
    ("Unbar", "Gutschein", "giftcard"),
    ("Unbar", "Geschenkkarte", "giftcard"),
    ("Unbar", "Lieferschein", "invoice"),
    ("Unbar", "Überweisung", "bank"),
    ("Unbar", "Unbar", "other"),
    ("Unbar", "Firma X", "coupon"),
])  # fmt: skip
def test_a_payment_is_known_by_its_type_and_else_by_its_name(kind: str, name: str, expected: str) -> None:
    found = one(sold().pay("1", kind, "5,00", ZAHLART_NAME=name), tenders={"Firma X": "coupon"})
    assert tenders(found) == [(expected, "5.00")]


def test_a_payment_in_a_foreign_currency_counts_with_what_it_is_worth() -> None:
    export = sold().pay("1", "Bar", "10,00", ZAHLWAEH_CODE="CHF", ZAHLWAEH_BETRAG="9,70").pay("1", "Bar", "-5,00")
    found = one(export)
    assert found.tenders[0].extra == {"currency": "CHF", "foreignAmount": "9.70"}
    assert tenders(found) == [("cash", "10.00"), ("cash", "-5.00")]
    export = sold().pay("1", "Bar", "", ZAHLWAEH_CODE="CHF", ZAHLWAEH_BETRAG="9,70")
    assert held(export).endswith("BASISWAEH_BETRAG: is empty, and the payment is in CHF")
    assert one(sold().pay("1", "Bar", "", ZAHLWAEH_CODE="EUR", ZAHLWAEH_BETRAG="5,00")).total == Decimal("5.00")


# --- signs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "gross", "flags"), [
    ("-1,000", "-5,00", ()),
    ("1,000", "-5,00", ("sign-by-amount",)),
    ("-1,000", "5,00", ("sign-by-quantity",)),
])  # fmt: skip
def test_a_return_is_one_by_the_sign_that_adds_up(quantity: str, gross: str, flags: tuple[str, ...]) -> None:
    export = Written().head("1", "-5,00").line("1", "1", "A", quantity, gross, STK_BR="5,00").pay("1", "Bar", "-5,00")
    found = one(export)
    assert (lines(found), found.flags) == ([("return", "A", "-1.000", "-5.00")], flags)


def test_a_total_of_a_return_without_its_sign_is_that_of_its_positions_and_payments() -> None:
    export = Written().head("1", "5,00").line("1", "1", "A", "-1,000", "-5,00").pay("1", "Bar", "-5,00")
    found = one(export)
    assert (found.total, found.flags) == (Decimal("-5.00"), ("sign-by-amount",))


def test_a_quantity_of_zero_is_taken_as_it_is() -> None:
    found = one(Written().head("1", "5,00").line("1", "1", "A", "0,000", "5,00").pay("1", "Bar", "5,00"))
    assert lines(found) == [("adjustment", "A", "0.000", "5.00")]


def test_a_rounding_that_explains_no_difference_is_held() -> None:
    export = Written().head("1", "70,00").line("1", "1", "A", "1,000", "69,60")
    assert "no reading adds up" in held(
        export.pay("1", "Bar", "69,60").pay("1", "Unbar", "0,40", ZAHLART_NAME="Rundung")
    )


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", ["1.234,50", "1 234,50", "1234,5", "1'234,50", "1234,50000", "+1234,50"])
def test_a_total_is_a_number_however_it_is_grouped(total: str) -> None:
    assert one(sold(total).pay("1", "Bar", total)).total == Decimal("1234.50")


@pytest.mark.parametrize("total", ["-5,00", "5,00-", "\u22125,00"])
def test_a_minus_may_stand_behind_or_be_another_character(total: str) -> None:
    assert one(sold(total).pay("1", "Bar", total)).total == Decimal("-5.00")


def test_points_are_decimal_marks_where_the_totals_have_them_whatever_the_index_says() -> None:
    export = Written(decimal=".").head("1", "5,00").line("1", "1", "A", "1,000", "5,00").pay("1", "Bar", "5,00")
    found = one(export)
    assert (lines(found), found.flags) == ([("purchase", "A", "1.000", "5.00")], ("decimal-mark",))
    assert receipt(parse(PLUGIN, export.zip(index=""))[0]).flags == ()
    [record] = read(export)
    assert isinstance(record, Found)
    assert receipt(parse(PLUGIN, record.raw)[0]).flags == ("decimal-mark",)


def test_numbers_of_receipts_and_closings_have_no_marks() -> None:
    export = Written(closing="1.234").head("12.345", "5,00").line("12.345", "1", "A", "1,000", "5,00")
    export.rows["lines"][0]["Z_NR"] = export.rows["lines_vat"][0]["Z_NR"] = "1234"
    export.pay("12.345", "Bar", "5,00")
    found = one(export)
    assert (found.number, found.id) == ("12345", "Laden%20Mitte_3_2026-03-14_1234-12.345")


def test_amounts_of_five_digits_are_rounded_to_the_total() -> None:
    export = Written().head("1", "1,00")
    for at in "123":
        export.line("1", at, at, "1,000", "0,33333")
    export.rows["lines_vat"][0]["POS_BRUTTO"] = "0,33334"
    found = one(export.pay("1", "Bar", "1,00"))
    assert [line.paid for line in found.lines] == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]
    assert found.flags == ("lines-rounded",)


@pytest.mark.parametrize(("column", "value", "reason"), [
    ("POS_BRUTTO", "abc", "lines_vat.csv, line 2, POS_BRUTTO: not a number such as 1234,50: 'abc'"),
    ("POS_BRUTTO", "1e1000000", "lines_vat.csv, line 2, POS_BRUTTO: not a number such as 1234,50: '1e1000000'"),
    ("POS_BRUTTO", "NaN", "lines_vat.csv, line 2, POS_BRUTTO: not a number such as 1234,50: 'NaN'"),
    ("POS_BRUTTO", "1,2,3", "lines_vat.csv, line 2, POS_BRUTTO: not a number such as 1234,50: '1,2,3'"),
])  # fmt: skip
def test_what_is_no_number_is_held_with_its_place(column: str, value: str, reason: str) -> None:
    export = sold().pay("1", "Bar", "5,00")
    export.rows["lines_vat"][0][column] = value
    assert held(export).endswith(reason)


# --- taxes ----------------------------------------------------------------------------------------------------------


def test_the_tax_is_calculated_from_what_is_there() -> None:
    for cells in (
        {"POS_BRUTTO": "119,00", "POS_UST": "19,00"},
        {"POS_NETTO": "100,00", "POS_UST": "19,00"},
        {"POS_BRUTTO": "119,00", "POS_NETTO": "100,00"},
        {"POS_BRUTTO": "119,00"},
        {"POS_NETTO": "100,00"},
    ):
        export = Written().head("1", "119,00").line("1", "1", "A", "1,000", "").pay("1", "Bar", "119,00")
        export.add("lines_vat", BON_ID="1", POS_ZEILE="1", UST_SCHLUESSEL="1", **cells)
        [line] = (found := one(export)).lines
        assert (line.paid, line.tax_amount, line.tax_percent) == (Decimal(119), Decimal(19), Decimal(19)), cells
        assert [(tax.percent, tax.amount, tax.excluding_tax) for tax in found.taxes] == [
            (Decimal(19), Decimal(19), Decimal(100))
        ]
        assert found.flags == ()


def test_without_amounts_a_position_has_its_price_for_so_many_units() -> None:
    export = Written().head("1", "6,67").line("1", "1", "A", "2,000", "", STK_BR="5,00", FAKTOR="1,500", EINHEIT="kg")
    [line] = one(export.pay("1", "Bar", "6,67")).lines
    assert (line.quantity, line.paid) == (Decimal(2), Decimal("6.67"))


def test_without_amounts_a_position_has_its_price_times_the_units_of_a_package() -> None:
    export = (
        Written().head("1", "12,00").line("1", "1", "A", "2,000", "", STK_BR="1,00", FAKTOR="6,000", EINHEIT="Kiste")
    )
    [line] = one(export.pay("1", "Bar", "12,00")).lines
    assert (line.quantity, line.paid) == (Decimal(2), Decimal("12.00"))


def test_a_gross_amount_that_is_not_net_and_tax_is_put_aside_where_those_add_up() -> None:
    export = sold("5,00").pay("1", "Bar", "6,00")
    export.rows["transactions"][0]["UMS_BRUTTO"] = "6,00"
    export.rows["lines_vat"][0] |= {"POS_NETTO": "5,04", "POS_UST": "0,96"}
    [line] = (found := one(export)).lines
    assert (line.paid, line.tax_amount, found.flags) == (Decimal("6.00"), Decimal("0.96"), ("tax-base-recomputed",))


def test_a_net_amount_that_does_not_fit_is_put_aside_where_the_gross_one_adds_up() -> None:
    export = sold("119,00").pay("1", "Bar", "119,00")
    export.rows["lines_vat"][0] |= {"POS_NETTO": "80,00", "POS_UST": "19,00"}
    [line] = (found := one(export)).lines
    assert (line.paid, line.tax_amount, found.flags) == (Decimal("119.00"), Decimal("19.00"), ("tax-base-recomputed",))


def test_taxes_as_they_were_printed_are_taken_and_a_difference_is_a_flag() -> None:
    export = sold("119,00").pay("1", "Bar", "119,00")
    export.add(
        "transactions_vat", BON_ID="1", UST_SCHLUESSEL="1", BON_BRUTTO="119,00", BON_NETTO="100,00", BON_UST="19,00"
    )
    assert one(export).flags == ()
    export.rows["transactions_vat"][0] |= {"UST_SCHLUESSEL": "2", "BON_NETTO": "111,21", "BON_UST": "7,79"}
    found = one(export)
    assert ([(tax.percent, tax.amount) for tax in found.taxes], found.flags) == (
        [(Decimal(7), Decimal("7.79"))],
        ("tax-off",),
    )


def test_a_menu_of_two_rates_is_one_line_with_both_taxes() -> None:
    export = (
        Written().head("1", "10,00").line("1", "1", "M", "1,000", "7,00", tax="0,46", key="2").pay("1", "Bar", "10,00")
    )
    export.add("lines_vat", BON_ID="1", POS_ZEILE="1", UST_SCHLUESSEL="1", POS_BRUTTO="3,00", POS_UST="0,48")
    [line] = (found := one(export)).lines
    assert (line.paid, line.tax_amount, line.tax_percent) == (Decimal(10), Decimal("0.94"), Decimal("10.38"))
    assert [(tax.percent, tax.amount) for tax in found.taxes] == [
        (Decimal(19), Decimal("0.48")),
        (Decimal(7), Decimal("0.46")),
    ]


# --- business cases -------------------------------------------------------------------------------------------------


def test_a_deposit_and_bottles_brought_back_are_adjustments() -> None:
    export = sold("4,75").line("1", "2", "", "1,000", "0,25", GV_TYP="Pfand", ARTIKELTEXT="Pfand")
    export.line("1", "3", "", "-10,000", "-2,50", GV_TYP="PfandRueckzahlung", ARTIKELTEXT="Leergut")
    export.rows["transactions"][0]["UMS_BRUTTO"] = "2,50"
    assert lines(one(export.pay("1", "Bar", "2,50")))[1:] == [
        ("adjustment", "deposit", "1.000", "0.25"),
        ("adjustment", "deposit", "-10.000", "-2.50"),
    ]
    export = Written().head("1", "-2,50").line("1", "1", "", "10", "-2,50", GV_TYP="PfandRueckzahlung")
    assert one(export.pay("1", "Bar", "-2,50")).total == Decimal("-2.50")


@pytest.mark.parametrize("kind", ["TrinkgeldAG", "TrinkgeldAN", "Trinkgeld"])
def test_a_tip_is_an_adjustment_in_the_total_or_beside_it(kind: str) -> None:
    export = sold("5,00").line("1", "2", "", "1,000", "1,00", GV_TYP=kind, key="5").pay("1", "ECKarte", "6,00")
    beside = one(export)
    assert (lines(beside)[1], beside.flags) == (("adjustment", "tip", "1.000", "1.00"), ("total-of-parts",))
    export.rows["transactions"][0]["UMS_BRUTTO"] = "6,00"
    assert one(export).flags == ()


def test_a_total_that_leaves_out_what_is_none_of_the_known_parts_is_held() -> None:
    export = sold("5,00").line("1", "2", "B", "1,000", "1,00").pay("1", "ECKarte", "6,00")
    assert held(export).endswith("the positions sum to 6.00, UMS_BRUTTO is 5.00 (difference 1.00)")


@pytest.mark.parametrize("kind", ["EinzweckgutscheinEinloesung", "MehrzweckgutscheinEinloesung"])
def test_a_voucher_that_is_redeemed_pays_for_the_goods(kind: str) -> None:
    export = Written().head("1", "2,00").line("1", "1", "A", "1,000", "5,00")
    export.line("1", "2", "", "1,000", "-3,00", GV_TYP=kind, GUTSCHEIN_NR="G-1", key="5").pay("1", "Bar", "2,00")
    found = one(export)
    assert (found.total, tenders(found)) == (Decimal("5.00"), [("cash", "2.00"), ("giftcard", "3.00")])
    assert found.tenders[1].extra == {"voucher": "G-1"}
    assert [tax.amount for tax in found.taxes] == [Decimal("0.80")]


def test_money_given_back_onto_a_voucher_is_a_negative_tender() -> None:
    export = Written().head("1", "0,00").line("1", "1", "A", "-1,000", "-5,00")
    export.line("1", "2", "", "1,000", "5,00", GV_TYP="MehrzweckgutscheinEinloesung", key="5").pay("1", "Keine", "0,00")
    found = one(export)
    assert (found.total, tenders(found)) == (Decimal("-5.00"), [("giftcard", "-5.00")])


def test_goods_that_a_till_books_as_redeemed_are_lines() -> None:
    export = sold().pay("1", "Unbar", "5,00")
    export.rows["lines"][0]["GV_TYP"] = "MehrzweckgutscheinEinloesung"
    found = one(export)
    assert (lines(found), found.flags) == ([("purchase", "A", "1.000", "5.00")], ("voucher-as-line",))


def test_a_voucher_that_is_sold_is_a_line() -> None:
    export = Written().head("1", "50,00").line("1", "1", "", "1,000", "50,00", key="5", GV_TYP="MehrzweckgutscheinKauf")
    export.rows["lines"][0]["ARTIKELTEXT"] = "Geschenkgutschein"
    assert lines(one(export.pay("1", "Bar", "50,00"))) == [("purchase", "Geschenkgutschein", "1.000", "50.00")]


def test_what_is_sold_on_account_or_paid_down_before_is_a_tender_and_alone_no_sale() -> None:
    for kind, tender in (("Forderungsentstehung", "invoice"), ("Anzahlungsaufloesung", "deposit")):
        export = Written().head("1", "0,00").line("1", "1", "A", "1,000", "5,00")
        export.line("1", "2", "", "1,000", "-5,00", GV_TYP=kind, key="5").pay("1", "Keine", "0,00")
        assert tenders(one(export)) == [(tender, "5.00")]
    for kind, reason in (("Forderungsaufloesung", "payment on account"), ("Anzahlungseinstellung", "a down payment")):
        export = sold().pay("1", "Bar", "5,00")
        export.rows["lines"][0]["GV_TYP"] = kind
        record = unsent(export)
        assert (record.reason.partition(":")[0], record.retail) == (reason, True)


@pytest.mark.parametrize("kind", ["Geldtransit", "Anfangsbestand", "Einzahlung", "Privatentnahme", "DifferenzSollIst"])
def test_cash_put_in_or_taken_out_is_no_sale(kind: str) -> None:
    export = sold("100,00").pay("1", "Bar", "100,00")
    export.rows["lines"][0] |= {"GV_TYP": kind, "ART_NR": ""}
    record = unsent(export)
    assert (record.reason, record.retail) == (f"no sale: {kind}", False)


def test_cash_out_beside_goods_is_a_line() -> None:
    export = sold("5,00").line("1", "2", "", "1,000", "-20,00", GV_TYP="Auszahlung", key="5")
    export.rows["transactions"][0]["UMS_BRUTTO"] = "-15,00"
    found = one(export.pay("1", "ECKarte", "5,00").pay("1", "Bar", "-20,00"))
    assert (found.total, lines(found)[1][0]) == (Decimal("-15.00"), "adjustment")


def test_a_business_case_that_is_not_in_the_standard_is_read_with_a_flag() -> None:
    export = sold().line("1", "2", "", "1,000", "1,00", GV_TYP="Spende", ARTIKELTEXT="Spende")
    export.rows["transactions"][0]["UMS_BRUTTO"] = "6,00"
    found = one(export.pay("1", "Bar", "6,00"))
    assert (lines(found)[1], found.flags) == (("adjustment", "Spende", "1.000", "1.00"), ("unknown-business-case",))


# --- discounts ------------------------------------------------------------------------------------------------------


def test_a_discount_on_the_receipt_is_spread_over_the_articles_of_its_rate() -> None:
    export = Written().head("1", "27,00").line("1", "1", "A", "1,000", "10,00", tax="1,60")
    export.line("1", "2", "B", "1,000", "20,00", tax="1,31", key="2")
    export.line("1", "3", "", "1,000", "-1,00", tax="-0,16", GV_TYP="Rabatt", ARTIKELTEXT="10 %")
    export.add("lines_vat", BON_ID="1", POS_ZEILE="3", UST_SCHLUESSEL="2", POS_BRUTTO="-2,00", POS_UST="-0,13")
    found = one(export.pay("1", "Bar", "27,00"))
    assert [(line.paid, line.tax_amount, line.discounts[0].value) for line in found.lines] == [
        (Decimal("9.00"), Decimal("1.44"), Decimal("-1.00")),
        (Decimal("18.00"), Decimal("1.18"), Decimal("-2.00")),
    ]
    assert found.lines[0].discounts[0].description == "10 %"


def test_a_discount_that_no_article_can_carry_is_a_line() -> None:
    export = sold("5,00").line("1", "2", "", "1,000", "-7,00", GV_TYP="Rabatt", ARTIKELTEXT="Coupon")
    export.rows["transactions"][0]["UMS_BRUTTO"] = "-2,00"
    assert lines(one(export.pay("1", "Bar", "-2,00")))[1] == ("adjustment", "discount", "1.000", "-7.00")


@pytest.mark.parametrize(("kind", "amount"), [("discount", "-2,00"), ("discount", "2,00"), ("Rabatt", "-2,00")])
def test_a_discount_of_a_line_is_in_its_price_or_taken_off_it(kind: str, amount: str) -> None:
    for gross, flags in (("8,00", ()), ("10,00", ("discount-not-in-price",))):
        export = Written().head("1", "8,00").line("1", "1", "A", "1,000", gross).pay("1", "Bar", "8,00")
        export.add("itemamounts", BON_ID="1", POS_ZEILE="1", TYP="base_amount", UST_SCHLUESSEL="1", PF_BRUTTO="10,00")
        export.add("itemamounts", BON_ID="1", POS_ZEILE="1", TYP=kind, UST_SCHLUESSEL="1", PF_BRUTTO=amount)
        [line] = (found := one(export)).lines
        assert (line.paid, line.tax_amount, line.discounts[0].value) == (Decimal(8), Decimal("1.28"), Decimal(-2))
        assert found.flags == flags


# --- types of receipts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "reason"), [
    ("AVTraining", "training"),
    ("AVBestellung", "suspended: an order, not paid yet (AVBestellung)"),
    ("AVBelegabbruch", "voided: aborted before it was paid (AVBelegabbruch)"),
    ("AVTransfer", "handed on (AVTransfer): it is settled in another system or on another receipt"),
    ("AVSachbezug", "a benefit in kind of an employee (AVSachbezug): nobody pays"),
])  # fmt: skip
def test_a_transaction_that_is_no_sale_yet_is_skipped_with_its_reason(kind: str, reason: str) -> None:
    record = unsent(sold(kind=kind).pay("1", "Keine", "0,00"))
    assert (record.reason, record.retail, record.store, record.date) == (reason, True, "Laden Mitte", "2026-03-14")


def test_other_transactions_are_ignored_where_they_hold_nothing_and_skipped_where_they_do() -> None:
    export = Written().head("1", "0,00", kind="AVSonstige", BON_NAME="Tagesabschluss").pay("1", "Keine", "0,00")
    assert (unsent(export).reason, unsent(export).retail) == ("no sale (AVSonstige)", False)
    assert unsent(sold(kind="AVSonstige").pay("1", "Keine", "0,00")).retail


@pytest.mark.parametrize("kind", ["AVBestellung", "AVTransfer", "AVSonstige"])
def test_what_nobody_pays_for_and_has_payments_is_held_until_it_is_said_what_it_is(kind: str) -> None:
    export = sold(kind=kind).pay("1", "Bar", "5,00")
    assert "is paid by nobody, and datapayment.csv has payments of it; say in `types` what it is" in held(export)
    assert one(export, types={kind: "sale"}).total == Decimal("5.00")
    assert unsent(export, types={kind: "skip"}).retail


def test_a_type_of_the_tills_own_is_held_until_it_is_said_what_it_is() -> None:
    export = sold(kind="Kassenbon").pay("1", "Bar", "5,00")
    assert held(export).endswith("BON_TYP: 'Kassenbon' is no BON_TYP of the standard; say in `types` what it is")
    assert one(export, types={"Kassenbon": "sale"}).total == Decimal("5.00")
    assert unsent(sold(kind="Training").pay("1", "Bar", "5,00")).reason == "training"
    assert unsent(sold(kind="Storno").pay("1", "Bar", "5,00")).reason == "voided"


@pytest.mark.parametrize("kind", ["AVRechnung", "Beleg"])
def test_what_is_not_paid_now_is_on_invoice(kind: str) -> None:
    assert tenders(one(sold(kind=kind).pay("1", "Keine", "0,00"))) == [("invoice", "5.00")]
    assert tenders(one(sold(kind="AVRechnung"))) == [("invoice", "5.00")]
    assert tenders(one(sold(kind=kind).pay("1", "ECKarte", "5,00"))) == [("card", "5.00")]


def test_a_receipt_without_lines_is_skipped_or_held() -> None:
    assert unsent(Written().head("1", "0,00")).reason == "no lines"
    assert "the positions sum to 0.00, UMS_BRUTTO is 5.00" in held(Written().head("1", "5,00").pay("1", "Bar", "5,00"))


@pytest.mark.parametrize("vat", [True, False])
def test_a_receipt_without_its_total_is_read_by_the_sums_of_its_taxes_or_its_payments(vat: bool) -> None:
    export = sold().pay("1", "Bar", "5,00")
    export.rows["transactions"][0]["UMS_BRUTTO"] = ""
    if vat:
        export.add("transactions_vat", BON_ID="1", UST_SCHLUESSEL="1", BON_BRUTTO="5,00", BON_UST="0,80")
    assert one(export).total == Decimal("5.00")
    export.rows["lines_vat"][0]["POS_BRUTTO"] = "4,00"
    assert "the positions sum to 4.00" in held(export)


# --- people, articles, ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "kind", "expected"), [
    ("K-1", "Kunde", ("externalId", "K-1")),
    ("k@example.com", "", ("email", "k@example.com")),
    ("77", "Mitarbeiter", None),
    ("77", "mitarbeiter", None),
    ("000", "", None),
    ("", "", None),
])  # fmt: skip
def test_the_customer_is_the_number_of_one(number: str, kind: str, expected: tuple[str, str] | None) -> None:
    customer = one(sold(KUNDE_ID=number, KUNDE_TYP=kind).pay("1", "Bar", "5,00")).customer
    assert (None if customer is None else (customer.identifiers[0].kind, customer.identifiers[0].value)) == expected


@pytest.mark.parametrize(("table", "column"), [
    ("transactions", "KUNDE_ID"),
    ("lines", "ART_NR"),
    ("lines", "GTIN"),
    ("transactions", "Z_KASSE_ID"),
    ("references", "REF_BON_ID"),
])  # fmt: skip
def test_an_id_that_a_spreadsheet_shortened_is_held(table: str, column: str) -> None:
    export = sold().pay("1", "Bar", "5,00").add("references", BON_ID="1", REF_TYP="Transaktion", REF_BON_ID="9")
    export.rows[table][0][column] = "4,67E+10"
    if column == "GTIN":
        export.rows[table][0]["ART_NR"] = ""
    reasons = [record.reason for record in read(export) if isinstance(record, Broken)]
    assert f"{column}" in reasons[0]
    assert "is a number a spreadsheet shortened; take the export as the till wrote it" in reasons[0]
    assert "4,67" not in reasons[0]


def test_an_article_is_its_number_else_its_code_else_its_name() -> None:
    export = (
        sold().line("1", "2", "", "1,000", "1,00", GTIN="4001").line("1", "3", "", "1,000", "1,00", ARTIKELTEXT="Tee")
    )
    export.rows["lines"][0]["GTIN"] = "4000"
    export.rows["transactions"][0]["UMS_BRUTTO"] = "7,00"
    export.pay("1", "Bar", "7,00")
    assert [line.sku for line in one(export).lines] == ["A", "4001", "Tee"]
    assert [line.sku for line in one(export, sku="GTIN").lines] == ["4000", "4001", "Tee"]


def test_a_time_in_utc_becomes_the_time_of_the_till() -> None:
    found = one(sold(at="2026-03-14T22:30:00.000Z").pay("1", "Bar", "5,00"))
    assert (found.created.isoformat(), found.business_date.isoformat()) == ("2026-03-14T23:30:00+01:00", "2026-03-14")


def test_the_business_date_is_the_booking_day_of_the_closing() -> None:
    export = sold(at="2026-03-15T01:30:00").pay("1", "Bar", "5,00")
    export.master(day="2026-03-14")
    assert one(export).business_date.isoformat() == "2026-03-14"


def test_every_receipt_of_a_day_is_told_apart_from_that_of_another_closing() -> None:
    export = sold().pay("1", "Bar", "5,00")
    export.closing = "8"
    export.master()
    export.head("1", "5,00").line("1", "1", "A", "1,000", "5,00").pay("1", "Bar", "5,00")
    assert len({found.id for found in receipts(read(export))}) == 2

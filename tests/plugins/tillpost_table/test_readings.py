"""Tables in the shapes that tills, spreadsheets and people make: each case of the field, and others of its kind."""

import json
from decimal import Decimal as D
from typing import Any

import pytest

from tests.support.adapter import receipt, receipts
from tests.support.tables import GIVEN, HEAD, read, read_bytes, reasons, row
from tillpost.model import Broken, Found, LineKind

# --- 20: ids a spreadsheet broke -----------------------------------------------------------------------------------

WITH_CUSTOMER: dict[str, Any] = {"customer": {"memberNumber": "Kund"}, "decimal": ","}


def test_case_20_an_id_in_scientific_notation_is_held() -> None:
    first, second = reasons(read("sci2.csv", **WITH_CUSTOMER))
    assert 'line 2, column Kund: "4,67E+10" is a number a spreadsheet shortened' in first
    assert "export the column as text, or set `broken_ids`" in second
    article, _ = reasons(read("sci2.csv", decimal=","))
    assert 'line 2, column Art: "7,31E+12" is a number a spreadsheet shortened' in article


def test_the_mark_of_a_file_that_was_joined_to_another_is_part_of_no_id() -> None:
    content = f"\ufeff{HEAD}{row('5.00')}\ufeff{row('6.00', number='2')}\ufeff\n"
    for encoding in ("utf-8", "utf-16-le"):
        assert [one.number for one in receipts(read_bytes(content.encode(encoding)))] == ["1", "2"]


def test_two_customers_whose_numbers_became_one_are_held() -> None:
    head = "Bon;Butik;Tid;Art;Namn;Antal;Belopp;Summa;Kort;Kund\n"
    rows = "".join(row("5", number=number)[:-1] + ";4,67E+10\n" for number in ("100001", "100002"))
    for reason in reasons(read(head + rows, **WITH_CUSTOMER)):
        assert 'column Kund: "4,67E+10" is a number a spreadsheet shortened' in reason
    [long] = reasons(read(head + row("5")[:-1] + ";4.6701234567E10\n", **WITH_CUSTOMER))
    assert '"4.…" (15 characters) is a number a spreadsheet shortened' in long
    assert "6701234567" not in long


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ({"sku": "7.31087E+12"}, '"7.31087E+12" is a number a spreadsheet shortened'),
        ({"sku": "7.310865004703E12"}, "is a number a spreadsheet shortened"),  # as Java writes a numeric cell
        ({"store": "1E+05"}, '"1E+05" is a number a spreadsheet shortened'),
        ({"number": "2.02605E+11"}, '"2.02605E+11" is a number a spreadsheet shortened'),
        ({"number": "100001.0"}, '"100001.0" is an id that was made a number'),  # as pandas writes a column with gaps
        ({"store": "7,0"}, '"7,0" is an id that was made a number, which may have lost its leading zeros'),
        ({"sku": "7310865004703.0"}, "is an id that was made a number"),
        ({"sku": "#N/A"}, '"#N/A" is an error of the spreadsheet'),
        ({"sku": "#SAKNAS!"}, "is an error of the spreadsheet"),
        ({"number": "########"}, '"########" is an error of the spreadsheet'),
        ({"sku": "735001234567890000"}, "whose digits after the 15th a spreadsheet made zeros"),
    ],
)
def test_an_id_that_a_spreadsheet_broke_is_held(cells: dict[str, str], fault: str) -> None:
    [reason] = reasons(read(HEAD + row("5.00", **cells)))
    assert fault in reason
    assert isinstance(read(HEAD + row("5.00", **cells), broken_ids="keep")[0], Found)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1E5", "1E5"),
        ("12E45", "12E45"),
        ("A-1.0", "A-1.0"),
        ("10.0", "10.0"),
        ("#1001", "#1001"),
        ("00123", "00123"),
        ("123456789012345678", "123456789012345678"),
        ('"=""00123"""', "00123"),  # a formula and an apostrophe keep the leading zeros in a spreadsheet
        ("'00123", "00123"),
        ("'n stol", "'n stol"),
    ],
)
def test_an_id_that_is_whole_stays(written: str, meant: str) -> None:
    [only] = receipts(read(HEAD + row("5.00", sku=written)))
    assert only.lines[0].sku == meant


# --- 21: signs that disagree ---------------------------------------------------------------------------------------


def test_case_21_a_negative_quantity_with_a_positive_amount_is_never_a_sale() -> None:
    back, held = read("signq.csv")
    assert (receipt(back).total, receipt(back).lines[0].kind) == (D("-100.00"), LineKind.RETURN)
    assert receipt(back).flags == ("sign-by-quantity",)
    assert isinstance(held, Broken)
    assert "column Antal: quantity -1 and amount 100.00 disagree in their signs; set `sign`" in held.reason
    assert "lines sum to -100.00, the receipt's total is 100.00 (difference -200.00)" in held.reason


def test_signs_that_disagree_are_held_where_nothing_tells_which_is_right() -> None:
    alone = {name: column for name, column in GIVEN["columns"].items() if name != "total"}
    [reason] = reasons(read(HEAD + row("100.00", quantity="-1"), columns=alone, tenders={}))
    assert "disagree in their signs" in reason
    assert "no total and no tender shows that" in reason
    exchange = row("100.00", total="40.00") + row("60.00", total="40.00", quantity="-1")
    [mixed] = receipts(read(HEAD + exchange))
    assert ([line.paid for line in mixed.lines], mixed.flags) == ([D(100), D(-60)], ("sign-by-quantity",))
    [unsigned] = reasons(read(HEAD + exchange.replace("40.00", "160.00")))
    assert (
        "the sign of the quantity: receipt 1 of store 7: lines sum to 40.00, the receipt's total is 160.00" in unsigned
    )


@pytest.mark.parametrize(("quantity", "amount", "flags"), [("-1", "-5.00", ("sign-by-lines",)), ("1", "5.00", ())])
def test_a_total_without_the_sign_of_its_lines_is_flagged(quantity: str, amount: str, flags: tuple[str, ...]) -> None:
    [only] = receipts(read(HEAD + row(amount, total="5.00", quantity=quantity)))
    assert (only.total, only.flags) == (D(amount), flags)


def test_a_return_that_only_the_total_tells() -> None:
    [only] = receipts(read(HEAD + row("5.00", total="-5.00")))
    assert (only.total, only.lines[0].quantity, only.flags) == (D("-5.00"), D(-1), ("sign-by-total",))
    [reason] = reasons(read(HEAD + row("5.00", total="-7.00")))
    assert "as written: receipt 1 of store 7: lines sum to 5.00, the receipt's total is -7.00" in reason
    assert "the sign of the total: receipt 1 of store 7: lines sum to -5.00" in reason


def test_a_deposit_taken_back_by_its_price_is_no_disagreement() -> None:
    columns = {**GIVEN["columns"], "unit_price": "Belopp"}
    del columns["paid"]
    [only] = receipts(read(HEAD + row("-2.00", total="2.00", quantity="-1"), columns=columns))
    assert (only.lines[0].paid, only.flags) == (D("2.00"), ())


# --- 19: currency signs and marks ----------------------------------------------------------------------------------


def test_case_19_currency_signs_words_and_blanks() -> None:
    chair, table, other = receipts(read("currency.csv", decimal=","))
    assert (chair.total, chair.flags) == (D("1234.56"), ())
    assert (table.total, table.flags) == (D("12.50"), ("other-currency-sign",))
    assert (other.total, other.flags) == (D("12.50"), ())
    [reason, *_] = reasons(read("currency.csv"))
    assert 'column Summa: "1 234,56 kr" is not a number such as 12.50; set `decimal` to ","' in reason


def test_case_19_a_minus_behind_and_in_brackets() -> None:
    found = receipts(read("minus.csv"))
    assert [item.total for item in found] == [D("-100.00")] * 3
    assert {(line.kind, line.quantity) for item in found for line in item.lines} == {(LineKind.RETURN, D(-1))}


SIGNED = [
    ("$1,000.00", ".", "", "1000.00"),
    ("US$ 1,000.00", ".", "", "1000.00"),
    ("CHF 1’234.50", ".", "", "1234.50"),  # noqa: RUF001
    ("R$ 1.234,56", ",", "", "1234.56"),
    ("1.234,56 zł", ",", "", "1234.56"),
    ("1\u2009234\u202f567,80 Kč", ",", "", "1234567.80"),
    ("Rs. 1,23,456.00", ".", "", "123456.00"),
    ("kr.12,50", ",", "", "12.50"),
    ("100:-", ",", "", "100"),
    ("100,-", ",", "", "100"),
    ("100.–", ".", "'", "100"),  # noqa: RUF001
    ("\u200f\u0661\u0662\u066b\u0665\u0660", ".", "", "12.50"),
    ("１２.５０", ".", "", "12.50"),  # noqa: RUF001
    ("'12.50", ".", "", "12.50"),
    ("EUR12.50", ".", "", "12.50"),
    ("-$12.50", ".", "", "-12.50"),
    ("$-12.50", ".", "", "-12.50"),
    ("$(12.50)", ".", "", "-12.50"),
    ("(12,50 €)", ",", "", "-12.50"),
    ("<12.50>", ".", "", "-12.50"),
    ("12.50 kr-", ".", "", "-12.50"),
    ("– 12,50", ",", "", "-12.50"),  # noqa: RUF001
    ("- kr", ".", "", "0"),
]


@pytest.mark.parametrize(("written", "decimal", "thousands", "meant"), SIGNED)
def test_amounts_as_people_write_them(written: str, decimal: str, thousands: str, meant: str) -> None:
    quantity = "-1" if meant < "0" else "1"
    [only] = receipts(read(HEAD + row(written, quantity=quantity), decimal=decimal, thousands=thousands))
    assert only.lines[0].paid == only.total == D(meant)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("1,250", '"1,250" may be 1.250 or 1250; set `decimal` or `thousands` to "," where it is that mark'),
        ("12.50 pcs", '"12.50 pcs" is not a number such as 12.50'),
        ("(-12.50)", '"(-12.50)" is not a number'),
        ("1E+2", '"1E+2" is a number a spreadsheet shortened'),
        ("#VALUE!", '"#VALUE!" is an error of the spreadsheet'),
        ("12.50.1", '"12.50.1" is not a number'),
        ("1 2", '"1 2" is not a number'),
        ("Åsa Öberg", '"Ås…" (9 characters) is not a number'),
    ],
)
def test_what_may_be_two_numbers_or_none_is_held_with_its_value(written: str, fault: str) -> None:
    [reason] = reasons(read(HEAD + row(written)))
    assert f"line 2, column Summa: {fault}" in reason


# --- 25: cash rounding ---------------------------------------------------------------------------------------------

ROUNDED = HEAD[:-1] + ";Avr\n"


def with_rounding(amount: str, total: str, paid: str, rounding: str) -> str:
    return ROUNDED + row(amount, total=total).rsplit(";", 1)[0] + f";{paid};{rounding}\n"


def test_case_25_cash_that_was_rounded_to_the_coin() -> None:
    first, second = receipts(read("round.csv", tenders={"Kort": "cash"}))
    assert (first.total, [line.paid for line in first.lines]) == (D("50.00"), [D("49.60"), D("0.40")])
    assert first.lines[1].kind == LineKind.ADJUSTMENT
    assert first.flags == second.flags == ("cash-rounding",)
    for reason in reasons(read("round.csv")):  # a card is not rounded
        assert "difference" in reason


@pytest.mark.parametrize(
    ("total", "paid", "rounding", "flags"),
    [
        ("50.00", "50.00", "0.40", ()),
        ("50.00", "50.00", "-0.40", ("rounding-sign",)),
        ("49.60", "50.00", "0,40", ("total-before-rounding",)),
        ("49.60", "50.00", "-0,40", ("rounding-sign", "total-before-rounding")),
        ("49.60", "49.60", "0.40", ("rounding-in-lines",)),
    ],
)
def test_a_column_of_cash_rounding(total: str, paid: str, rounding: str, flags: tuple[str, ...]) -> None:
    columns = {**GIVEN["columns"], "rounding": "Avr"}
    content = with_rounding("49.60", total, paid, rounding).replace(".", ",")
    [only] = receipts(read(content, columns=columns, decimal=","))
    assert (only.total, only.flags) == (D(paid), flags)
    assert sum(line.paid for line in only.lines) == only.total


@pytest.mark.parametrize("total", ["49.60", "50.00"])
@pytest.mark.parametrize("written", ["-0.40", "0.40"])
def test_a_rounding_among_the_tenders_is_a_line(total: str, written: str) -> None:
    tenders = {"Kort": "cash", "Avr": "rounding"}
    [only] = receipts(read(with_rounding("49.60", total, "50.00", written), tenders=tenders))
    assert (only.total, only.flags) == (D("50.00"), ("rounding-as-tender",))
    assert [(line.sku, line.paid) for line in only.lines] == [("A1", D("49.60")), ("rounding", D("0.40"))]
    assert [(tender.type, tender.amount) for tender in only.tenders] == [("cash", D("50.00"))]


def test_a_payment_of_a_list_that_is_called_a_rounding_is_a_line() -> None:
    sale = {
        "Bon": "1", "Butik": "7", "Tid": "2026-05-04 10:00:00",
        "items": [{"Art": "A1", "Antal": "1", "Belopp": "69.60"}],
        "pays": [{"how": "Kontant", "sum": "70.00"}, {"how": "Öresavrundning", "sum": "0.40"}],
    }  # fmt: skip
    columns = {
        "number": "Bon", "store": "Butik", "created": "Tid", "sku": "items.Art", "quantity": "items.Antal",
        "paid": "items.Belopp", "tender_type": "pays.how", "tender_amount": "pays.sum",
    }  # fmt: skip
    kinds = {"Kontant": "cash", "Öresavrundning": "rounding"}
    [only] = receipts(
        read_bytes(
            json.dumps(sale).encode(), format="json", lines="items", payments="pays", columns=columns, tenders={},
            values={"tender_type": kinds}, delimiter=",",
        )
    )  # fmt: skip
    assert [(line.sku, line.paid) for line in only.lines] == [("A1", D("69.60")), ("rounding", D("0.40"))]
    assert [(tender.type, tender.amount) for tender in only.tenders] == [("cash", D("70.00"))]


def test_a_rounding_that_does_not_explain_the_difference_is_held_with_each_reading() -> None:
    columns = {**GIVEN["columns"], "rounding": "Avr"}
    [reason] = reasons(read(with_rounding("49.60", "51.00", "51.00", "0.40"), columns=columns))
    assert "as written: receipt 1 of store 7: lines sum to 50.00, the receipt's total is 51.00" in reason
    assert "the rounding with the other sign: receipt 1 of store 7: lines sum to 49.20" in reason
    [coin] = reasons(read(HEAD + row("49.60", total="50.40"), tenders={"Kort": "cash"}))
    assert "difference" in coin

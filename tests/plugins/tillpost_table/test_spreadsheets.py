"""What spreadsheets make of a table: footers, blank cells, titles, serial dates, names of months, gzip, workbooks."""

import contextlib
import gzip
import subprocess
import sys
from datetime import datetime
from decimal import Decimal as D
from typing import Any

import pytest

from tests.support.adapter import receipt, receipts
from tests.support.tables import GIVEN, HEAD, READINGS, read, read_bytes, reasons, row
from tests.support.workbook import Cell, workbook
from tillpost import DocumentError
from tillpost.model import Broken, Found, NoReceipt, Parsed

AT = datetime.fromisoformat("2026-05-04T10:00:03")


def numbers(found: list[Parsed]) -> list[str]:
    return [record.receipt.number for record in found if isinstance(record, Found)]


# --- 22: footers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"ignore_rows": {"Bon": ("GESAMTSUMME",)}}])
def test_case_22_a_footer_shorter_than_the_header_takes_no_receipt_with_it(settings: dict[str, Any]) -> None:
    found = read("total-short.csv", **settings)
    assert numbers(found) == ["1", "2"]
    assert not any(isinstance(record, Broken) for record in found)
    assert len(found) == (2 if settings else 3)


@pytest.mark.parametrize(
    "footer",
    [
        "Total;;;;;2;150.00;150.00;150.00\n",
        ";;;;Summa:;2;150.00;;\n",
        ";;;;;;;;Grand total 150.00\n",
        "Razem;2\n",
        "Итого;;;;;2;150.00;;\n",
        ";;;;I alt;;150.00;;\n",
    ],
)
def test_a_row_of_sums_is_ignored_and_counted(footer: str) -> None:
    [one, two, sums] = read(HEAD + row("100.00") + row("50.00", number="2") + footer)
    assert [receipt(one).number, receipt(two).number] == ["1", "2"]
    assert isinstance(sums, NoReceipt)
    assert (sums.reason, sums.retail, sums.place) == ("sums of the table", False, "line 4")


@pytest.mark.parametrize(
    "line", ["1;7;;;Total care;1;5.00;5.00;5.00\n", ";;;A1;Total;1;5.00;;\n", ";;;;Total care;1;5.00;;\n", "x;y\n"]
)
def test_a_row_that_may_be_of_a_sale_is_never_taken_for_sums(line: str) -> None:
    found = read(HEAD + row("5.00", total="10.00") + line)
    assert not any(isinstance(record, NoReceipt) for record in found)


def test_sums_between_receipts_do_not_end_a_receipt() -> None:
    first = row("100.00", total="150.00")
    found = read(HEAD + first + ";;;;Subtotal;1;100.00;;\n" + row("50.00", total="150.00") + row("5.00", number="2"))
    assert [receipt(found[0]).total, receipt(found[2]).total] == [D(150), D(5)]
    assert isinstance(found[1], NoReceipt)


# --- 23: blank cells -----------------------------------------------------------------------------------------------


def test_case_23_blank_cells_continue_the_receipt_above() -> None:
    first, second = receipts(read("filldown.csv", fill_down=True))
    assert [(line.sku, line.paid) for line in first.lines] == [("A1", D(100)), ("A2", D(50))]
    assert (first.total, second.number) == (D(150), "2")
    for reason in reasons(read("filldown.csv")):
        assert "has no value in the columns of `group`; set `fill_down` where it continues the row above" in reason


def test_rows_that_repeat_the_number_alone_continue_it() -> None:
    columns = {"number": "Bon", "store": "Butik", "date": "Tid", "sku": "Art", "quantity": "Antal", "paid": "Belopp"}
    content = HEAD + row("100.00") + "1;;;A2;Stol;1;50.00;;\n" + row("5.00", number="2")
    first, second = receipts(read(content, columns=columns, tenders={}, fill_down=True))
    assert (first.total, second.total) == (D(150), D(5))


def test_a_blank_row_above_every_receipt_and_a_footer_below_are_no_part_of_one() -> None:
    lost, *rest = read(HEAD + ";;;A2;Stol;1;50.00;;\n" + row("5.00") + "Total;;;;;1;5.00;;\n", fill_down=True)
    assert isinstance(lost, Broken)
    assert "has no value in the columns of `group`" in lost.reason
    assert [type(record) for record in rest] == [NoReceipt]


# --- 24: what Excel makes ------------------------------------------------------------------------------------------


def test_case_24_serial_dates() -> None:
    [only] = receipts(read("serial.csv"))
    assert only.created.isoformat() == "2026-05-04T10:00:00+02:00"


@pytest.mark.parametrize(
    ("at", "clock", "meant"),
    [
        ("46146", "0,4166666667", "2026-05-04T10:00:00"),
        ("46146", "10:00", "2026-05-04T10:00:00"),
        ("2026-05-04", "0.75", "2026-05-04T18:00:00"),
        ("46146.999999", "", "2026-05-05T00:00:00"),
        ("46146", "", "2026-05-04T00:00:00"),
    ],
)
def test_serial_dates_and_times_of_day(at: str, clock: str, meant: str) -> None:
    columns = {**GIVEN["columns"], "date": "Tid", "time": "Namn"}
    del columns["created"], columns["article_name"]
    for form in ("", "%d.%m.%Y %H:%M"):
        [only] = receipts(read(HEAD + row("5.00", at=at).replace("Stol", clock), columns=columns, date=form))
        assert only.created.replace(tzinfo=None).isoformat() == meant


@pytest.mark.parametrize(
    ("written", "form", "language"),
    [
        ("4 maj 2026 10:00", "%d %B %Y %H:%M", ""),
        ("4. Mai 2026 10:00", "%d. %B %Y %H:%M", ""),
        ("04-maj-26 10:00", "%d-%b-%y %H:%M", ""),
        ("4 mai 2026, 10:00", "%d %b %Y, %H:%M", ""),
        ("lundi 4 mai 2026 10:00", "%A %d %B %Y %H:%M", ""),
        ("må 4. toukokuuta 2026 10:00", "%a %d. %B %Y %H:%M", ""),
        ("4 de mayo de 2026 10:00 a. m.", "%d de %B de %Y %I:%M %p", ""),
        ("4 \u03bc\u03b1\u0390\u03bf\u03c5 2026 10:00", "%d %B %Y %H:%M", ""),
        ("4 května 2026 10:00", "%d %B %Y %H:%M", "cs"),
        ("05/04/2026 10:00\u202fAM", "%m/%d/%Y %I:%M %p", ""),
        ("4 maja 2026 10:00", "%d %B %Y %H:%M", "pl"),
    ],
)
def test_names_of_months_in_the_languages_of_europe(written: str, form: str, language: str) -> None:
    [only] = receipts(read(HEAD + row("5.00", at=written), date=form, language=language))
    assert only.created.isoformat() == "2026-05-04T10:00:00+02:00"


def test_a_name_that_is_two_months_is_held_until_its_language_is_set() -> None:
    content = HEAD + row("5.00", at="4 listopada 2026 10:00")
    [reason] = reasons(read(content, date="%d %B %Y %H:%M"))
    assert "listopada is a name of month 10 or 11; set `language`" in reason
    found = {
        code: receipt(read(content, date="%d %B %Y %H:%M", language=code)[0]).created.month for code in ("pl", "hr")
    }
    assert found == {"pl": 11, "hr": 10}
    [other] = reasons(read(HEAD + row("5.00", at="04.05.2026 10:00")))
    assert '"04.05.2026 10:00" is not a time such as 2026-01-31 14:30:00; set `date` to the file\'s format' in other


def test_case_24_sep_names_the_delimiter() -> None:
    for delimiter in (";", ","):
        [only] = read("sep.csv", delimiter=delimiter)
        assert (receipt(only).number, receipt(only).raw.place) == ("1", "line 3")
        assert isinstance(only, Found)
        [again] = read_bytes(only.raw, delimiter=delimiter)
        assert isinstance(again, Found)
        assert (again.raw, receipt(again).lines) == (only.raw, receipt(only).lines)


def test_case_24_gzip_and_a_footer() -> None:
    found = read("day.csv.gz")
    assert numbers(found) == ["1", "2"]
    assert isinstance(found[2], NoReceipt)
    content = (READINGS / "day.csv.gz").read_bytes()
    with pytest.raises(DocumentError, match="is a gzip file that is cut or damaged"):
        read_bytes(content[:-12])
    lines = '{"n": "1", "s": "7", "at": "2026-05-04T10:00:00", "a": "A1", "p": 5}\n'
    columns = {"number": "n", "store": "s", "created": "at", "sku": "a", "paid": "p"}
    assert numbers(read_bytes(gzip.compress(lines.encode()), format="json", columns=columns, tenders={})) == ["1"]


def test_rows_of_titles_above_the_header() -> None:
    titles = "Kassarapport;;\nButik 7;;;2026-05-04\n\n"
    found = read(titles + HEAD + row("5.00"))
    assert numbers(found) == ["1"]
    assert isinstance(found[0], Found)
    assert found[0].raw == (HEAD + row("5.00")).encode()
    with pytest.raises(DocumentError, match=r'line 2: the header lacks the column "Bon" .*did you mean "Bonnr"'):
        read("Kassarapport\n" + HEAD.replace("Bon;", "Bonnr;") + row("5.00"))


ROWS: list[list[Cell]] = [
    ["Dagens kvitton"],
    [],
    [*HEAD.strip().split(";")],
    [100001, "0007", AT, "00123", "Stol; blå", 1, 49.6, 0.1 + 0.2 + 49.3, 49.6],
    [100002, "0007", AT, 7310865004703, 'Bord "x"', 2.5, 1234.5, 1234.5, 1234.5],
    ["Total", None, None, None, None, 3, 1284.1],
]


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("quote", ['"', ""])
def test_case_24_a_workbook(decimal: str, quote: str) -> None:
    found = read_bytes(workbook(ROWS), decimal=decimal, quote=quote, date="%d.%m.%Y %H:%M")
    chair, table = (receipt(record) for record in found[:2])
    assert (chair.number, chair.store, chair.total, chair.raw.place) == ("100001", "0007", D("49.6"), "line 4")
    assert chair.created.isoformat() == "2026-05-04T10:00:03+02:00"
    assert [chair.lines[0].sku, table.lines[0].sku] == ["00123", "7310865004703"]
    assert (table.lines[0].quantity, table.total) == (D("2.5"), D("1234.5"))
    assert isinstance(found[2], NoReceipt)
    assert isinstance(found[0], Found)
    [again] = read_bytes(found[0].raw, decimal=decimal, quote=quote, date="%d.%m.%Y %H:%M")
    assert isinstance(again, Found)
    assert again.raw == found[0].raw


def test_an_id_a_workbook_could_not_hold_is_held() -> None:
    rows = [*ROWS[2:4]]
    rows[1] = [12345678901234567890, *rows[1][1:]]
    [reason] = reasons(read_bytes(workbook(rows)))
    assert '"1.23456789012346e+19" is a number a spreadsheet shortened' in reason


def test_the_sheet_that_has_the_columns_is_read_and_of_several_one_is_named() -> None:
    notes: list[list[Cell]] = [["Anteckningar"], ["inget"]]
    assert numbers(read_bytes(workbook(notes, ROWS))) == ["100001", "100002"]
    with pytest.raises(DocumentError, match='has several sheets that may be the one: "Blad1", "Blad2"; set `sheet`'):
        read_bytes(workbook(ROWS, ROWS))
    assert numbers(read_bytes(workbook(ROWS[:4], ROWS), sheet="Blad1")) == ["100001"]
    with pytest.raises(DocumentError, match='has no sheet "Dag"; its sheets are "Blad1"'):
        read_bytes(workbook(ROWS), sheet="Dag")


def test_what_is_no_workbook_is_refused_in_words() -> None:
    with pytest.raises(DocumentError, match="is no workbook that can be read; save it again"):
        read("book.xlsx")
    content = workbook(ROWS)
    with pytest.raises(DocumentError, match="cut, damaged or encrypted"):
        read_bytes(content[: len(content) // 2])
    for at in range(0, len(content), 7):  # whatever byte is changed, it is a workbook or a DocumentError
        with contextlib.suppress(DocumentError):
            read_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
    with pytest.raises(DocumentError, match=r"is an .xls or encrypted workbook; save it as .xlsx or CSV"):
        read_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(DocumentError, match="is a workbook of more than 2048 bytes; export CSV, or raise `largest`"):
        read_bytes(workbook([[f"x{number}"] for number in range(1000)]), largest=2048)
    with pytest.raises(DocumentError, match="a sheet of 17179869184 cells, most of them empty"):
        read_bytes(workbook(ROWS, extra='<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))


def test_without_its_library_a_workbook_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['python_calamine'] = None\n"
        "from tests.support.tables import read_bytes\n"
        "from tests.support.workbook import workbook\n"
        "try: read_bytes(workbook([['Bon']]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "DocumentError doc: is a workbook, and python-calamine, which reads it, is not installed" in run.stdout
    assert "pip install 'tillpost[xlsx]'" in run.stdout


def test_a_row_that_is_no_header_is_not_repeated_in_the_message() -> None:
    with pytest.raises(DocumentError, match=r"It has: .*characters") as caught:
        read("600;Asa Oberg;C-1001\n")
    assert "Asa" not in str(caught.value)
    with pytest.raises(DocumentError, match="is not complete utf-16-le"):
        read_bytes(b"\xff\xfeB\x00o")


def test_columns_that_differ_by_a_control_character_are_two() -> None:
    head = HEAD[:-1] + ";x\x01;x\n"
    [only] = receipts(read(head + row("5.00").replace("Stol", "St\x01ol")[:-1] + ";1;2\n"))
    assert (only.lines[0].article_name, only.flags) == ("Stol", ("control-characters",))
    [sep] = receipts(read("sep=;\n" + HEAD + row("5.00"), delimiter=","))
    assert sep.total == D("5.00")
    with pytest.raises(DocumentError, match="lacks the column"):
        read("sep=\udc81\n".encode("utf-8", "surrogateescape").decode("latin-1") + HEAD, delimiter=",")

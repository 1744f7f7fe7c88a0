"""Rows that cannot be read, columns that are not there, encodings, and receipts that are large or do not end."""

import csv
import gzip
import io
import json
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tillpost_table
from tests.support.adapter import parse, receipt, settings
from tests.support.exports import export
from tillpost import DocumentError
from tillpost.model import Broken, Document, Found, LineKind, NoReceipt, Parsed, receipt_id
from tillpost_table.parse import parse as parse_document
from tillpost_table.settings import Settings

COLUMNS = {
    "store": "s",
    "number": "n",
    "created": "at",
    "sku": "sku",
    "article_name": "name",
    "quantity": "q",
    "paid": "p",
}
GIVEN: dict[str, Any] = {
    "timezone": ZoneInfo("Europe/Stockholm"),
    "columns": COLUMNS,
    "constants": {"currency": "SEK", "tender_type": "card"},
}
HEAD = "s,n,at,sku,name,q,p\n"


def read(content: str | bytes, **settings: Any) -> list[Parsed]:
    given = content if isinstance(content, bytes) else content.encode()
    return parse(tillpost_table.plugin, given, **(GIVEN | settings))


def row(number: int | str, paid: str = "5.00", *, sku: str = "A", name: str = "Milk", quantity: str = "1") -> str:
    return f"600,{number},2026-03-14T10:00:00,{sku},{name},{quantity},{paid}\n"


def broken(parsed: Parsed) -> Broken:
    assert isinstance(parsed, Broken), parsed
    return parsed


def test_rows_that_follow_each_other_are_one_receipt() -> None:
    first, second = read(HEAD + row(1) + row(1, "2.50") + row(2))
    assert (receipt(first).total, len(receipt(first).lines)) == (D("7.50"), 2)
    assert receipt(first).raw.place == "line 2 to line 3"
    assert [(t.type, t.amount) for t in receipt(second).tenders] == [("card", D("5.00"))]
    assert read("") == read(HEAD) == read("\n\n" + HEAD + "\n,,,,,,\n") == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("600,1,2026-03-14T10:00:00,A,Milk,1\n", "line 3: has 6 fields, and the header 7"),
        ("600,1,2026-03-14T10:00:00,A,Mi,lk,1,5.00\n", "line 3: has 8 fields, and the header 7"),
        ('600,1,2026-03-14T10:00:00,A,"Mi"lk,1,5.00\n', "line 3: is not CSV: ',' expected after '\"'"),
        (
            row(1, '"5,00"'),
            'line 3, column p: "5,00" is not a number such as 12.50; set `decimal` to "," where it is that mark',
        ),
        (row(1, "1e999999"), 'line 3, column p: "1e999999" is not a number'),
        (row(1, "NaN"), 'line 3, column p: "NaN" is not a number'),
        (row(1, ""), "line 3, column p: the line has no price"),
        (row(1, "9" * 30), "line 3, column p: out of bounds"),
        (row(1, "5.001"), "10.001 has more digits behind the point than SEK, which has 2"),
        (row(1, quantity="one"), 'line 3, column q: "one" is not a number'),
        (row(1, sku=""), "sku is empty"),
    ],
)
def test_a_row_that_cannot_be_read_holds_its_receipt_and_the_others_go_on(bad: str, reason: str) -> None:
    held, after = read(HEAD + row(1) + bad + row(2))
    assert reason in broken(held).reason
    assert (broken(held).number, broken(held).store) == ("1", "600")
    assert broken(held).raw == (HEAD + row(1) + bad).encode()
    assert receipt(after).number == "2"
    [again] = read(broken(held).raw)
    assert isinstance(again, Broken)


def test_a_row_that_does_not_show_whose_it_is_holds_the_receipts_on_both_sides() -> None:
    first, before, after, last = read(HEAD + row(1) + row(2) + ",x\n" + row(3) + row(4))
    assert [receipt(item).number for item in (first, last)] == ["1", "4"]
    assert [broken(item).number for item in (before, after)] == ["2", "3"]
    assert "line 4: has 2 fields" in broken(before).reason
    whole, other = read(HEAD + row(1) + ",,,,Milk,,9\n" + row(1) + row(2))
    assert "has no value in the columns of `group`" in broken(whole).reason
    assert receipt(other).number == "2"


def test_a_quote_that_does_not_end_is_held_and_the_rows_after_it_go_on() -> None:
    rest = "".join(row(number, name='"x') for number in (2,)) + "".join(row(number) for number in range(3, 6000))
    parsed = read(HEAD + row(1) + rest)
    held = [record for record in parsed if isinstance(record, Broken)]
    assert held
    assert "is not CSV: field larger than field limit" in held[0].reason
    assert receipt(parsed[-1]).number == "5999"
    numbers = {receipt(record).number for record in parsed if isinstance(record, Found)}
    lost = [f"600,{number}," for number in range(1, 6000) if str(number) not in numbers]
    kept = b"".join(record.raw for record in held).decode()
    assert all(text in kept for text in lost)
    [cut] = read(HEAD + row(1)[:-5] + '"5')
    assert "is not CSV: unexpected end of data" in broken(cut).reason


def test_a_key_that_comes_back_is_a_receipt_of_the_same_id() -> None:
    parsed = [receipt(record) for record in read(HEAD + row(1) + row(2) + row(1) + row(1, "2.00"))]
    assert parsed[0].id == parsed[2].id
    assert parsed[0].total != parsed[2].total


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("s,n,at,sku,name,q,price\n", r'the header lacks the column "p" \(columns.paid\).* It has: s, n, at'),
        ("s,n,at,sku,nam,q,p\n", r'lacks the column "name" \(columns.article_name\); did you mean "nam"\?'),
        ("s,n,at,sku,name,q,p,p\n", 'has the column "p" .* twice'),
        ("s;n;at;sku;name;q;p\n", "is `delimiter` right"),
        ('s,n,at,sku,"name"x,q,p\n', "line 1: the header is not CSV"),
    ],
)
def test_a_header_that_does_not_fit_the_mapping_is_refused_with_its_names(head: str, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read(head + row(1))


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "windows-1252", "utf-16-be", "cp850", "iso8859-16"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("header", [True, False])
def test_encodings(encoding: str, header: bool) -> None:
    positions = {field: str(number) for number, field in enumerate(COLUMNS, 1)}
    given: dict[str, Any] = {"encoding": "utf-8" if encoding in ("utf-8-sig", "utf-16") else encoding}
    given |= {} if header else {"columns": positions, "header": False}
    content = ((HEAD if header else "") + row(1) + row(2, name="Grädde é")[:-1]).encode(encoding)
    for _ in range(2):
        *_, last = read(content, **given)
        assert receipt(last).lines[0].article_name == "Grädde é"
        assert isinstance(last, Found)
        content = last.raw


def test_bytes_of_another_encoding_hold_their_receipt_only() -> None:
    content = HEAD.encode() + row(1).encode() + row(2, name="Grädde").encode("latin-1") + row(3).encode()
    first, held, last = read(content)
    assert [receipt(item).number for item in (first, last)] == ["1", "3"]
    assert "line 3: has bytes that are not utf-8; set `encoding`" in broken(held).reason
    [fixed] = read(broken(held).raw, encoding="latin-1")
    assert receipt(fixed).lines[0].article_name == "Grädde"
    [unmarked] = read((HEAD + row(2)).encode("utf-16-le"), encoding="UTF-16")
    assert isinstance(unmarked, Found)
    assert read(unmarked.raw, encoding="utf-16") == [unmarked]
    with pytest.raises(DocumentError, match="looks like UTF-16"):
        read((HEAD + row(1)).encode("utf-16-le"))
    with pytest.raises(DocumentError, match="is not complete utf-16-le"):
        read((HEAD + row(1)).encode("utf-16")[:-1])


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "</Receipt>", "<script>", "\x1b[31m", "+46701234567", "@SUM(A1)"]
)
def test_what_a_spreadsheet_would_run_is_data(name: str) -> None:
    [only] = read(HEAD + row(1, name=name))
    assert receipt(only).lines[0].article_name == name.replace("\x1b", "")


NUMBERS = [
    ("1 234,50", " ", "1234.50"),
    ("1\u00a0234,50", " ", "1234.50"),
    ("1.234,50", ".", "1234.50"),
    ("12,50-", "", "-12.50"),
    ("\u221212,5", "", "-12.5"),
    ("+3", "", "3"),
    (",5", "", "0.5"),
    ("25 %", "", "25"),
]


@pytest.mark.parametrize(("written", "thousands", "meant"), NUMBERS)
def test_numbers_in_the_marks_of_a_country(written: str, thousands: str, meant: str) -> None:
    [only] = read(
        HEAD + row(1, f'"{written}"', quantity="-1" if meant < "0" else "1"), decimal=",", thousands=thousands
    )
    assert receipt(only).total == D(meant)


@pytest.mark.parametrize(
    ("written", "thousands"), [("1.23", "."), ("12.3456,0", "."), ("1 2", ""), ("1.5", ""), ("--1", "")]
)
def test_a_number_in_other_marks_is_not_guessed(written: str, thousands: str) -> None:
    [only] = read(HEAD + row(1, f'"{written}"'), decimal=",", thousands=thousands)
    assert "not a number such as 12,50" in broken(only).reason


@given(st.decimals(0, 999_999, places=2), st.sampled_from([(",", "."), (",", " "), (".", ","), (".", "'")]))
def test_a_number_written_with_its_marks_reads_back(value: D, marks: tuple[str, str]) -> None:
    decimal, thousands = marks
    written = f"{value:,}".replace(",", "t").replace(".", decimal).replace("t", thousands)
    [only] = read(HEAD + row(1, f'"{written}"'), decimal=decimal, thousands=thousands)
    assert receipt(only).total == value


# No carriage return: older csv writers leave it without quotes, and then it is the end of a line.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]) | st.sampled_from('\n,;"\t'))


@given(
    receipts=st.lists(st.lists(st.tuples(TEXT, st.integers(0, 10**6)), min_size=1, max_size=4), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_csv_writer_wrote_reads_back(receipts: Any, delimiter: str, end: str, quoting: Any) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(HEAD.strip().split(","))
    for number, lines in enumerate(receipts):
        for name, cents in lines:
            writer.writerow(["600", f"00{number}", "2026-03-14T10:00:00", "A", name, "1", f"{cents / 100:.2f}"])
    parsed = read(file.getvalue(), delimiter=delimiter)
    results = [receipt(record) for record in parsed]
    assert [item.number for item in results] == [f"00{number}" for number in range(len(receipts))]
    for result, lines in zip(results, receipts, strict=True):
        assert [(line.article_name, line.paid) for line in result.lines] == [
            (name.strip(), D(cents) / 100) for name, cents in lines
        ]
    whole = file.getvalue().encode()
    rows = b"".join(
        record.raw.removeprefix(whole[: len(HEAD) - 1 + len(end)]) for record in parsed if isinstance(record, Found)
    )
    assert quoting != csv.QUOTE_MINIMAL or whole.endswith(rows)


@pytest.mark.parametrize(
    ("sign", "quantity", "paid", "kind", "signed"),
    [
        ("both", "-1", "-5.00", LineKind.RETURN, (D(-1), D(-5))),
        ("both", "1", "-5.00", LineKind.ADJUSTMENT, (D(1), D(-5))),
        ("both", "0", "0.00", LineKind.ADJUSTMENT, (D(0), D(0))),
        ("quantity", "-2", "5.00", LineKind.RETURN, (D(-2), D(-5))),
        ("quantity", "2", "5.00", LineKind.PURCHASE, (D(2), D(5))),
        ("paid", "2", "-5.00", LineKind.RETURN, (D(-2), D(-5))),
    ],
)
def test_which_column_carries_the_sign(
    sign: str, quantity: str, paid: str, kind: LineKind, signed: tuple[D, D]
) -> None:
    [only] = read(HEAD + row(1, paid, quantity=quantity), sign=sign)
    [line] = receipt(only).lines
    assert (line.kind, (line.quantity, line.paid)) == (kind, signed)


def test_a_total_a_tender_and_a_kind_that_do_not_fit_are_held() -> None:
    head = HEAD.replace("\n", ",sum,card,kind\n")
    given = {"columns": COLUMNS | {"total": "sum", "kind": "kind"}, "tenders": {"card": "card"}}

    def reason(*rows: tuple[str, str, str]) -> str:
        content = head + "".join(row(1)[:-1] + "," + ",".join(more) + "\n" for more in rows)
        return broken(read(content, **given)[0]).reason

    assert "lines sum to 5.00, the receipt's total is 4.99 (difference 0.01)" in reason(("4.99", "4.99", ""))
    assert "tenders sum to 6.00, the receipt's total is 5.00 (difference 1.00)" in reason(("5", "6", ""))
    assert "line 3, column sum: differs from line 2, it must be the same in all rows of a receipt" in reason(
        ("10", "10", ""), ("9", "10", "")
    )
    assert "column card: differs between the rows of a receipt" in reason(("10", "10", ""), ("10", "9", ""))
    assert "line 2, column kind: means none of purchase, return, adjustment; name it in `values.kind`" in reason(
        ("5", "5", "R")
    )


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", "timezone: is missing"),
        ('columns = { nmber = "n" }', 'columns: "nmber" is not a field; did you mean "number"?'),
        ('columns = { number = "n" }', "columns or constants must have store"),
        ('decimal = ";"', 'decimal: must be "." or ",", and is ";"'),
        ('encoding = "klingon"', "encoding: must be a text encoding such as utf-8"),
        ('encoding = "hex"', "encoding: must be a text encoding"),
        ('encoding = "idna"', "encoding: must be a text encoding"),
        ('delimiter = ";;"', "delimiter: must be one character"),
        ('group = ["shop"]', 'group: "shop" is not a field'),
        ("values = { kinds = {} }", 'values: "kinds" is not a field; did you mean "kind"?'),
        ("date = 7", "date: must be text"),
        ('date = "%d.%m.%Y %Q"', "date: must be a format of times such as"),
        ('date = "50 %"', "date: must be a format of times such as"),
    ],
)
def test_an_invalid_mapping_is_refused_with_its_key(toml: str, message: str, tmp_path: Path) -> None:
    needed = "" if not toml else 'timezone = "UTC"\n' + ("" if "columns" in toml else 'columns = { number = "n" }\n')
    with pytest.raises(AssertionError, match=r"settings.toml") as caught:
        settings(tillpost_table.plugin, needed + toml, tmp_path)
    assert message in str(caught.value)


def test_a_skip_value_skips_the_whole_receipt() -> None:
    only, after = read(HEAD + row(1) + row(1, sku="T") + row(2), skip={"sku": {"T": "training"}})
    assert isinstance(only, NoReceipt)
    assert (only.reason, only.number, only.retail) == ("training", "1", True)
    assert receipt(after).number == "2"


# --- JSON ----------------------------------------------------------------------------------------------------------


def test_flat_json_rows_are_grouped_like_csv() -> None:
    one = {"s": "0600", "n": 1, "at": "2026-03-14T10:00:00", "sku": "A", "q": 1, "p": 2.50}
    content = "\n".join(json.dumps(item) for item in (one, one | {"sku": "B", "name": True}, one | {"n": 2}))
    first, second = [receipt(record) for record in read(content, format="json")]
    assert (first.total, first.store, first.lines[1].article_name) == (D("5.0"), "0600", "true")
    assert second.id == "0600__2026-03-14_2"


def test_two_json_records_of_one_number_are_two_receipts_and_a_bad_one_is_alone() -> None:
    one = json.dumps(
        {"s": "1", "n": "1", "at": "2026-03-14T10:00:00", "l": [{"sku": "A", "p": 1}, {"sku": "B", "p": 2}]}
    )
    columns = COLUMNS | {"sku": "l.sku", "paid": "l.p", "quantity": "l.q", "article_name": "l.name"}
    bad = [b'{"s":', b'{"s": 1}', b'{"l": [{"p": NaN}]}', b"[" * 50_000, b"\xff", b"7", b'{"l": 1, "l": 2}']
    content = b"\n".join([one.encode(), one.encode(), *bad, one.encode()])
    parsed = read(content, format="json", lines="l", columns=columns)
    good, held = [receipt(item) for item in (*parsed[:2], parsed[-1])], parsed[2:-1]
    assert {result.total for result in good} == {D(3)}
    assert len(held) == len(bad)
    for record, line in zip(held, bad, strict=True):
        assert broken(record).raw == line + b"\n"


# --- large ---------------------------------------------------------------------------------------------------------

PEAK = """
import re, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from tillpost.model import Document, Found, receipt_id
from tillpost_table.parse import parse
from tillpost_table.settings import Settings

columns = dict(pair.split("=") for pair in sys.argv[2].split(","))
settings = Settings(timezone=ZoneInfo("UTC"), columns=columns, constants={"currency": "SEK"})
records = parse(Document.from_path(Path(sys.argv[1])), settings, receipt_id)
count = sum(isinstance(record, Found) for record in records)
print(count, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_memory_does_not_grow_with_the_document(tmp_path: Path) -> None:
    peaks = []
    for count in (100, 20_000):
        path = tmp_path / f"{count}.csv"
        with path.open("w") as file:  # the larger has 25 MB
            file.write(HEAD)
            file.writelines(row(number, name="x" * 1000) for number in range(count))
        columns = ",".join(f"{field}={column}" for field, column in COLUMNS.items())
        run = subprocess.run(
            [sys.executable, "-c", PEAK, str(path), columns], capture_output=True, text=True, check=True
        )
        read_count, peak = run.stdout.split()
        assert int(read_count) == count
        peaks.append(int(peak) / 1024)
    assert peaks[1] - peaks[0] < 10


def test_a_receipt_that_does_not_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillpost_table.groups.MOST_ROWS", 1000)
    with pytest.raises(DocumentError, match=r"line 1002: a receipt has more than 1000 rows; is `group` right\?"):
        read(HEAD + row(1) * 1001)
    with pytest.raises(DocumentError, match="a line has more than"):
        read(HEAD + "x" * 2_000_000)


def test_two_thousand_baskets_by_a_mapping_agree_with_figures_of_json_alone() -> None:
    path = export("completejourney", "receipts-small.jsonl.gz")
    content = gzip.decompress(path.read_bytes())
    baskets = [json.loads(line) for line in content.splitlines()]
    given = Settings(
        timezone=ZoneInfo("America/New_York"),
        format="json",
        lines="lines",
        columns={
            "number": "basket_id",
            "store": "store_id",
            "created": "transaction_timestamp",
            "sku": "lines.product_id",
            "quantity": "lines.quantity",
            "paid": "lines.sales_value",
            "discount": "lines.retail_disc",
        },
        constants={"currency": "USD", "tender_type": "card"},
        customer={"externalId": "household_id"},
    )
    parsed = list(parse_document(Document.from_bytes("baskets.jsonl", content), given, receipt_id))
    results = [receipt(record) for record in parsed]
    assert len(results) == len(baskets) == 2000
    lines = [line for basket in baskets for line in basket["lines"]]
    assert sum(len(item.lines) for item in results) == len(lines) == 18515
    paid = sum(D(line["sales_value"]) for line in lines)
    assert sum(item.total for item in results) == sum(t.amount for item in results for t in item.tenders) == paid
    days: dict[str, D] = {}
    for basket in baskets:
        day = basket["transaction_timestamp"][:10]
        days[day] = days.get(day, D(0)) + sum(D(line["sales_value"]) for line in basket["lines"])
    totals: dict[str, D] = {}
    for result in results:
        totals[result.business_date.isoformat()] = totals.get(result.business_date.isoformat(), D(0)) + result.total
    assert totals == days
    assert len({item.customer.identifiers for item in results if item.customer}) == len(
        {b["household_id"] for b in baskets}
    )
    off = sum(abs(D(line["retail_disc"])) for line in lines)
    assert (
        -sum(d.value if line.paid >= 0 else -d.value for item in results for line in item.lines for d in line.discounts)
        == off
    )

"""A zip of an export: what is read from it, and what is refused."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tillpost_dsfinvk
from tests.plugins.tillpost_dsfinvk.written import Written, index_xml, packed, unpacked
from tests.support.adapter import parse, receipt, receipts
from tillpost import DocumentError
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed
from tillpost.model.receipt_json import dumps, loads

PLUGIN = tillpost_dsfinvk.plugin
SAMPLES = Path(tillpost_dsfinvk.__file__).parent / "samples" / "promises"


def read(content: bytes, **settings: Any) -> list[Parsed]:
    return parse(PLUGIN, content, **settings)


def sold(export: Written, bon: str, total: str = "5,00", at: str = "2026-03-14T15:30:00", **head: str) -> Written:
    """A sale of one article, paid in cash."""
    export.head(bon, total, at=at, **head)
    return export.line(bon, "1", "A", "1,000", total).pay(bon, "Bar", total)


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.stem)
def test_a_zip_is_read_as_its_files_in_a_text(path: Path) -> None:
    text = path.read_bytes()
    zipped = read(packed({**unpacked(text), "index.xml": index_xml().encode(), "gdpdu-01-09-2004.dtd": b"<!-- -->"}))
    for one, other in zip(zipped, read(text), strict=True):
        if isinstance(one, Found) and isinstance(other, Found):
            assert attrs.evolve(one.receipt, raw=other.receipt.raw) == other.receipt
            assert one.raw.replace(b" index=,", b"") == other.raw
        else:
            assert type(one) is type(other)


def test_what_is_kept_of_a_receipt_is_read_again_as_the_same() -> None:
    export = sold(sold(Written(), "1"), "2", KUNDE_ID="K-2")
    for found in receipts(records := read(export.zip())):
        [again] = read(next(record.raw for record in records if isinstance(record, Found) and record.receipt is found))
        assert attrs.evolve(receipt(again), raw=found.raw) == found


def test_several_closings_and_tills_are_read_in_order_with_their_own_master_data() -> None:
    export = sold(Written(), "1")
    export.closing = "8"
    export.master(location="Laden Nord", day="2026-03-15")
    sold(export, "1", at="2026-03-15T10:00:00")
    export.till = "4"
    export.master(location="Laden Nord")
    sold(export, "1", at="2026-03-15T10:00:00")
    found = receipts(read(export.zip(), stores={"4": "40"}))
    assert [(each.store, each.till, each.business_date.day) for each in found] == [
        ("Laden Mitte", "3", 14), ("Laden Nord", "3", 15), ("40", "4", 15),
    ]  # fmt: skip
    assert len({each.id for each in found}) == 3


def test_rows_out_of_order_are_joined_all_the_same() -> None:
    export = Written()
    for closing in ("7", "8"):
        export.closing = closing
        export.master()
        sold(sold(export, f"{closing}1"), f"{closing}2")
    straight = [record.receipt.id for record in read(export.zip()) if isinstance(record, Found)]
    for name in ("lines", "lines_vat", "datapayment"):
        export.rows[name].reverse()
    assert [each.id for each in receipts(read(export.zip()))] == straight


def test_a_folder_in_the_zip_is_an_export_of_its_own() -> None:
    one, two = sold(Written(), "1").zip(), sold(Written(closing="8"), "2").zip()
    both = {f"März\\{name}": content for name, content in unpacked(one).items()}
    both |= {f"April/{name}": content for name, content in unpacked(two).items()}
    both["__MACOSX/._transactions.csv"] = b"\x00"
    assert [each.number for each in receipts(read(packed(both)))] == ["1", "2"]


def test_a_file_is_known_by_the_index_by_its_name_and_by_its_name_in_the_standard() -> None:
    files = unpacked(sold(Written(), "1").zip(index=""))
    named = {"Bonkopf.CSV": files.pop("transactions.csv"), "export/": b"", **files}
    assert len(receipts(read(packed(named)))) == 1
    index = index_xml().replace("transactions.csv", "k01.txt").replace("<Name>transactions<", "<Name>Bonkopf<")
    named = {"K01.TXT": named.pop("Bonkopf.CSV"), "INDEX.XML": index.encode(), **files}
    assert len(receipts(read(packed(named)))) == 1


def test_files_without_a_line_of_names_have_those_of_the_index() -> None:
    files = unpacked(sold(Written(), "1").zip())
    bare = {
        name: content.partition(b"\r\n")[2] if name.endswith(".csv") else content for name, content in files.items()
    }
    [found] = receipts(records := read(packed(bare | {"index.xml": index_xml(first=1).encode()})))
    assert isinstance(records[0], Found)
    [again] = read(records[0].raw)
    assert attrs.evolve(receipt(again), raw=found.raw) == found
    with pytest.raises(DocumentError, match=r"^transactions.csv: the first line names no column Z_KASSE_ID or BON_ID"):
        read(packed({name: content for name, content in bare.items() if name != "index.xml"}))


@pytest.mark.parametrize("codec", ["UTF8", "ANSI", "OEM", "UTF16"])
def test_the_encoding_is_the_one_of_the_index(codec: str) -> None:
    encoding = {"UTF8": "utf-8-sig", "ANSI": "cp1252", "OEM": "cp850", "UTF16": "utf-16"}[codec]
    export = (
        Written().head("1", "5,00").line("1", "1", "A", "1,000", "5,00", ARTIKELTEXT="Käse").pay("1", "Bar", "5,00")
    )
    files = {name: content.decode().encode(encoding) for name, content in unpacked(export.zip()).items()}
    [found] = receipts(records := read(packed(files | {"index.xml": index_xml(codec=codec).encode()})))
    assert (found.lines[0].article_name, found.flags) == ("Käse", ())
    assert isinstance(records[0], Found)
    [again] = read(records[0].raw)
    assert receipt(again).lines == found.lines


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    files = {name: b"\xef\xbb\xbf" + content for name, content in unpacked(sold(Written(), "1").zip(index="")).items()}
    [found] = receipts(read(packed(files)))
    assert (found.till, found.total) == ("3", Decimal("5.00"))


def test_bytes_in_another_encoding_hold_their_receipt_until_it_is_set() -> None:
    export = sold(Written(), "1").head("2", "5,00")
    export.line("2", "1", "A", "1,000", "5,00", ARTIKELTEXT="Käse").pay("2", "Bar", "5,00")
    files = {name: content.decode().encode("cp1252") for name, content in unpacked(export.zip()).items()}
    first, held = read(packed(files))
    assert receipt(first).number == "1"
    assert isinstance(held, Broken)
    assert held.reason == "lines.csv, line 3: has bytes that are not utf-8; set `encoding`"
    [again] = read(held.raw, encoding="windows-1252")
    assert receipt(again).lines[0].article_name == "Käse"


def test_the_separator_is_the_one_of_the_index() -> None:
    files = unpacked(sold(Written(decimal="."), "1").zip())
    files = {name: content.replace(b";", b",") for name, content in files.items()}
    [found] = receipts(read(packed(files | {"index.xml": index_xml(delimiter=",", decimal=".").encode()})))
    assert found.total == Decimal("5.00")


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\x1c", "\r\n", "\r", '";\n'])
def test_a_text_of_several_lines_is_one_cell(character: str) -> None:
    export = Written().head("1", "5,00").line("1", "1", "A", "1,000", "5,00", ARTIKELTEXT=f"Tee{character}grün")
    [found] = receipts(records := read(export.pay("1", "Bar", "5,00").zip()))
    assert found.lines[0].article_name.startswith("Tee")
    assert isinstance(records[0], Found)
    [again] = read(records[0].raw)
    assert attrs.evolve(receipt(again), raw=found.raw) == found


def test_a_column_that_is_named_twice_is_the_first_of_them() -> None:
    files = unpacked(sold(Written(), "1").zip())
    files["datapayment.csv"] = files["datapayment.csv"].replace(b"ZAHLWAEH_CODE", b"ZAHLART_NAME")
    assert receipts(read(packed(files)))[0].tenders[0].description == "Bar"
    files["datapayment.csv"] = files["datapayment.csv"].replace(b";5,00", b"")
    [held] = read(packed(files))
    assert isinstance(held, Broken)
    assert held.reason == "datapayment.csv, line 2: has 8 fields, and the header 9"


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty; DSFinV-K is many CSV files"),
        (b"Z_KASSE_ID;Z_NR;BON_ID\r\n3;7;1\r\n", "is neither a zip nor a record of one; DSFinV-K is many CSV files"),
        (b"[]", "is neither a zip"),
        (packed({}), "has no transactions.csv and so no receipts; it has nothing"),
        (packed({"orders.csv": b"a"}), "has no transactions.csv and so no receipts; it has orders.csv"),
        (packed({"export.zip": Written().zip()}), "it has export.zip"),
        (b"DSFinV-K decimal=,\n[lines.csv]\n", "has no part"),
    ],
)
def test_what_is_no_export_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read(content)


@pytest.mark.parametrize("missing", ["transactions", "lines", "datapayment"])
def test_an_export_without_a_needed_file_is_refused(missing: str) -> None:
    with pytest.raises(DocumentError, match=rf"{missing}.csv"):
        read(sold(Written(), "1").zip(without=[missing]))


def test_a_zip_that_was_cut_is_refused() -> None:
    content = sold(Written(), "1").zip()
    for part in range(5, 95, 10):
        with pytest.raises(DocumentError, match=r"is a damaged or truncated zip"):
            read(content[: len(content) * part // 100])


def test_a_damaged_member_ends_the_document_with_its_name() -> None:
    export = Written()
    for number in range(2000):
        sold(export, str(number))
    content = bytearray(export.zip())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        at = archive.getinfo("lines.csv").header_offset
        size = archive.getinfo("lines.csv").compress_size
    content[at + size // 2 : at + size // 2 + 20] = bytes(20)
    with pytest.raises(DocumentError, match=r"^lines.csv: is damaged"):
        read(bytes(content))


def test_a_zip_that_is_packed_otherwise_or_has_a_password_is_refused() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in unpacked(sold(Written(), "1").zip()).items():
            archive.writestr(name, content)
    with pytest.raises(DocumentError, match=r"is packed in a way that is not read; pack it with deflate, as zip does"):
        read(target.getvalue())
    locked = bytearray(sold(Written(), "1").zip())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := locked.find(mark, start + 1)) >= 0:
            locked[start + at] |= 1
    with pytest.raises(DocumentError, match=r"has a password; make the export again"):
        read(bytes(locked))


def test_a_member_whose_place_is_before_the_file_is_damaged() -> None:
    content = sold(Written(), "1").zip()
    at = content.rfind(b"PK\x05\x06")
    place = int.from_bytes(content[at + 16 : at + 20], "little") + 500
    with pytest.raises(DocumentError, match=r"damaged"):
        read(content[: at + 16] + place.to_bytes(4, "little") + content[at + 20 :])


def test_more_than_is_allowed_unpacked_is_refused_before_it_is_unpacked() -> None:
    bomb = unpacked(sold(Written(), "1").zip()) | {"lines.csv": b"0" * 30_000_000}
    with pytest.raises(DocumentError, match=r"bytes unpacked, and `unpacked` is 1000000; export less at once"):
        read(packed(bomb), unpacked=1_000_000)


def test_what_unpacks_to_hundreds_of_times_its_size_is_refused() -> None:
    row = b"3;2026-03-14T20:00:00;7;1;1;;" + b"0" * 1000 + b";;Umsatz;;;0;0;A;;;;1;;;1\r\n"
    files = unpacked(sold(Written(), "1").zip())
    bomb = files | {"lines.csv": files["lines.csv"] + row * 40_000}
    with pytest.raises(DocumentError, match=r"unpacks [0-9]+ bytes to [0-9]+, as no export does"):
        read(packed(bomb))


def test_a_line_without_an_end_is_refused() -> None:
    bomb = unpacked(sold(Written(), "1").zip()) | {"lines.csv": b"0" * 3_000_000}
    with pytest.raises(DocumentError, match=r"^lines.csv, line 1: a line has more than 1048576 characters"):
        read(packed(bomb))


def test_one_closing_of_more_than_is_allowed_is_refused() -> None:
    export = Written()
    for number in range(50):
        sold(export, str(number))
    with pytest.raises(DocumentError, match=r"the rows of one closing, .* have more than 2000 characters"):
        read(export.zip(), largest=2000)


def test_more_closings_than_a_chain_has_are_refused() -> None:
    files = unpacked(sold(Written(), "1").zip())
    rows = b"".join(b"%d;;%d;1\r\n" % (number, number) for number in range(100_001))
    with pytest.raises(DocumentError, match=r"^transactions.csv: has more than 100000 closings, or rows out of order"):
        read(packed(files | {"transactions.csv": b"Z_KASSE_ID;Z_ERSTELLUNG;Z_NR;BON_ID\r\n" + rows}))


def test_a_directory_that_would_fill_the_memory_is_refused() -> None:
    content = bytearray(sold(Written(), "1").zip())
    at = content.rfind(b"PK\x05\x06")
    content[at + 12 : at + 16] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(DocumentError, match=r"is a zip of more files than an export has"):
        read(bytes(content))


def test_entities_of_the_index_are_not_read() -> None:
    bomb = '<!DOCTYPE DataSet [<!ENTITY a "aaaa">]><DataSet>&a;</DataSet>'
    with pytest.raises(DocumentError, match=r"^index.xml: has a DOCTYPE with declarations"):
        read(sold(Written(), "1").zip(index=bomb))


def test_an_index_that_is_no_xml_leaves_the_receipts_readable() -> None:
    assert len(receipts(read(sold(Written(), "1").zip(index=index_xml(names=" Brot & Wein"))))) == 1
    assert len(receipts(read(sold(Written(), "1").zip(index="broken")))) == 1


PEAK = """
import re, sys
from pathlib import Path
import tillpost_dsfinvk
from tests.support.adapter import records

count = sum(1 for _ in records(tillpost_dsfinvk.plugin, Path(sys.argv[1])))
print(count, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_memory_does_not_grow_with_the_export_of_many_closings(tmp_path: Path) -> None:
    """A closing is in memory at a time, whatever a large file of many closings has unpacked."""
    peaks = []
    for closings in (2, 60):
        export = Written()
        for closing in range(closings):
            export.closing = str(closing + 1)
            for number in range(40):
                sold(export, f"{closing}-{number}", BON_NOTIZ="x" * 4000)  # 10 MB of the larger
        path = tmp_path / f"{closings}.zip"
        path.write_bytes(export.zip())
        run = subprocess.run(
            [sys.executable, "-c", PEAK, str(path)],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        count, peak = run.stdout.split()
        assert int(count) == closings * 40
        peaks.append(int(peak) / 1024)
    assert peaks[1] - peaks[0] < 8


# --- what belongs to no receipt -------------------------------------------------------------------------------------


def test_a_row_of_a_receipt_that_is_not_there_is_held() -> None:
    export = sold(Written(), "1").line("9", "1", "B", "1,000", "7,00").pay("9", "Bar", "7,00")
    first, held = read(export.zip())
    assert receipt(first).number == "1"
    assert isinstance(held, Broken)
    assert held.reason == "lines.csv, line 3: transactions.csv has no BON_ID '9' in closing 7 of till 3"


def test_a_reason_shows_no_more_than_the_beginning_of_an_id() -> None:
    export = sold(Written(till="3" * 5000, closing="7" * 5000), "1").pay("9" * 5000, "Bar", "7,00")
    assert all(len(record.reason) < 200 for record in read(export.zip()) if isinstance(record, Broken))


def test_a_receipt_that_stands_twice_is_held() -> None:
    export = sold(sold(Written(), "1"), "1")
    [held] = read(export.zip())
    assert isinstance(held, Broken)
    assert held.reason == "transactions.csv, line 3: BON_ID '1' stands 2 times in its closing"


def test_a_row_that_is_no_csv_or_has_no_key_is_held_and_so_is_the_receipt_that_lacks_it() -> None:
    files = unpacked(sold(sold(Written(), "1"), "2").zip())
    rows = files["datapayment.csv"].split(b"\r\n")
    files["datapayment.csv"] = b"\r\n".join([rows[0], rows[1], b'"3"x;;', b""])
    first, held, loose = read(packed(files))
    assert receipt(first).number == "1"
    assert isinstance(held, Broken)
    assert held.reason.endswith("payments sum to 0.00, to pay is 5.00 (difference -5.00)")
    assert isinstance(loose, Broken)
    assert loose.reason == "datapayment.csv, line 3: is not CSV: ';' expected after '\"'"


def test_a_closing_without_receipts_is_said_and_one_with_payments_is_held() -> None:
    export = Written()
    [record] = read(export.zip())
    assert isinstance(record, NoReceipt)
    assert (record.reason, record.retail) == ("closing 7 of till 3 has no receipts", False)
    export.rows["cashpointclosing"][0]["Z_SE_ZAHLUNGEN"] = "130,00"
    [held] = read(export.zip())
    assert isinstance(held, Broken)
    assert held.reason == "closing 7 of till 3 has payments of 130,00, and transactions.csv none of its receipts"
    with pytest.raises(DocumentError, match=r"^transactions.csv: has no rows, and so no receipts"):
        read(export.zip(without=["cashpointclosing"]))


def test_try_shows_version_till_and_mark() -> None:
    recognise = PLUGIN.recognise
    assert recognise is not None
    settings = PLUGIN.slots["adapter"]()
    document = Document.from_bytes("a.zip", sold(Written(decimal="."), "1").zip(index=""))
    assert recognise(document, settings) == "DSFinV-K 2.3 of Musterkasse, decimal point"


@given(data=st.data())
@hypothesis.settings(max_examples=100)
@pytest.mark.parametrize("sample", ["../laden-mitte", "return", "receipt_discount"])
def test_spoilt_bytes_of_a_file_never_end_the_reading_in_another_way(sample: str, data: st.DataObject) -> None:
    files = unpacked((SAMPLES / f"{sample}.txt").read_bytes()) | {"index.xml": index_xml().encode()}
    name = data.draw(st.sampled_from(sorted(files)))
    content = files[name]
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    pieces = [b";", b'"', b"\r\n", b"\xff", b"\xe2\x80\xa8", b"\x00", b"-", b"1e999999", b"4,67E+10", b"[lines.csv]\n"]
    put = data.draw(st.binary(max_size=6) | st.sampled_from(pieces))
    files[name] = content[:start] + put + content[end:]
    with suppress(DocumentError):
        for record in read(packed(files)):
            if isinstance(record, Found):
                loads(dumps(record.receipt))
                [again] = read(record.raw)
                assert attrs.evolve(receipt(again), raw=record.receipt.raw) == record.receipt

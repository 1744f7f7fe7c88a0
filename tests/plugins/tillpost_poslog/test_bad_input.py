"""Broken, hostile and odd documents."""

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import tillpost_poslog
from tillpost import DocumentError
from tillpost.model import Broken, Document, Found, Parsed, receipt_id
from tillpost_poslog.parse import parse as parse_document
from tillpost_poslog.settings import Settings

Parse = Callable[..., list[Parsed]]


def transaction(number: int = 1, *, name: str = "Milk", amount: str = "5.00", time: str = "2026-03-14T10:00:00") -> str:
    return f"""<Transaction><RetailStoreID>1</RetailStoreID><WorkstationID>1</WorkstationID>
<SequenceNumber>{number}</SequenceNumber><BusinessDayDate>2026-03-14</BusinessDayDate>
<EndDateTime>{time}</EndDateTime><CurrencyCode>USD</CurrencyCode><RetailTransaction>
<LineItem><SequenceNumber>1</SequenceNumber><Sale><ItemID>P</ItemID><Description>{name}</Description>
<ExtendedAmount>{amount}</ExtendedAmount><Quantity>1</Quantity></Sale></LineItem>
<LineItem><SequenceNumber>2</SequenceNumber><Tender TenderType="Cash"><Amount>5.00</Amount></Tender></LineItem>
<Total TotalType="TransactionGrandAmount">5.00</Total></RetailTransaction></Transaction>"""


def poslog(*transactions: str) -> str:
    return f"<POSLog xmlns='http://www.nrf-arts.org/IXRetail/namespace/'>{''.join(transactions)}</POSLog>"


def found(parsed: Parsed) -> Found:
    assert isinstance(parsed, Found), parsed
    return parsed


@pytest.mark.parametrize(
    "subset",
    [
        '<!DOCTYPE POSLog SYSTEM "file:///etc/passwd">',
        "<!DOCTYPE POSLog>",
        '<!DOCTYPE POSLog [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE POSLog [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_doctype_is_refused_before_anything_is_read(parse: Parse, subset: str, codec: str) -> None:
    with pytest.raises(DocumentError, match="has a DOCTYPE"):
        parse((subset + poslog(transaction())).encode(codec))


def test_a_broken_transaction_is_held_with_its_line_and_the_others_go_on(parse: Parse) -> None:
    before, broken, after = parse(
        poslog(transaction(1), "\n", transaction(2, amount="4.99"), "\n", transaction(3)).encode()
    )
    assert found(before).receipt.number == "1"
    assert found(after).receipt.number == "3"
    assert isinstance(broken, Broken)
    assert broken.place == "line 8, transaction 2"
    assert (broken.number, broken.store) == ("2", "1")
    assert "(difference -0.01)" in broken.reason
    [again] = parse(broken.raw)
    assert isinstance(again, Broken)
    assert "difference -0.01" in again.reason


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("NaN", "out of bounds"),
        ("Infinity", "out of bounds"),
        ("1e999999", "out of bounds"),
        ("1e-999999999", "digits behind the point"),
        ("5,00", "not a number"),
        ("", "RegularSalesUnitPrice"),
    ],
)
def test_an_amount_that_is_not_a_number_is_named(parse: Parse, amount: str, reason: str) -> None:
    [broken] = parse(poslog(transaction(amount=amount)).encode())
    assert isinstance(broken, Broken)
    assert reason in broken.reason
    assert "line item 1, Sale" in broken.reason


def test_what_stood_before_the_cut_stands(parse: Parse, tmp_path: Path) -> None:
    content = poslog(transaction(1), transaction(2), transaction(3)).encode()
    path = tmp_path / "cut.xml"
    path.write_bytes(content[: content.rindex(b"<Total")])
    settings = Settings(timezone=ZoneInfo("UTC"), loyalty="email")
    records = parse_document(Document.from_path(path), settings, receipt_id)
    assert [found(next(records)).receipt.number for _ in range(2)] == ["1", "2"]
    with pytest.raises(DocumentError, match=r"not well-formed XML at line .* transactions before it: 2"):
        next(records)


@pytest.mark.parametrize("content", [b"", b"{}", b"<other/>", b"\xff\xfe", b"\x00" * 50])
def test_a_document_that_is_not_poslog_is_a_document_error(parse: Parse, content: bytes) -> None:
    with pytest.raises(DocumentError):
        parse(content)


@pytest.mark.parametrize("written", ["Mi\x0blk", "Mi&#11;lk", "Mi&#x0B;lk", "Mi\ufffelk", "Mi&#xD800;lk", "Mi\x00lk"])
def test_forbidden_characters_are_taken_out_and_flagged(parse: Parse, written: str) -> None:
    marked, clean = parse(poslog(transaction(1, name=written), transaction(2)).encode())
    assert found(marked).receipt.lines[0].article_name == "Milk"
    assert found(marked).receipt.flags == ("control-characters",)
    assert found(clean).receipt.flags == ()
    [again] = parse(found(marked).raw)
    assert found(again).receipt.flags == ("control-characters",)


def test_a_reference_split_between_two_pieces_is_found(parse: Parse) -> None:
    for shift in range(7):
        padding = "<!--" + "x" * (64 * 1024 - 480 + shift) + "-->"
        [marked] = parse(poslog(padding, transaction(name="A&#x0B;B" * 40)).encode())
        assert found(marked).receipt.lines[0].article_name == "AB" * 40


@pytest.mark.parametrize(
    ("head", "codec", "flags"),
    [
        ("", "utf-8", ()),
        ("", "utf-8-sig", ()),
        ("", "utf-16", ()),
        ("", "utf-16-le", ()),
        ('<?xml version="1.0" encoding="UTF-16"?>', "utf-16", ()),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>', "latin-1", ()),
        ('<?xml version="1.0"?>', "latin-1", ("encoding-guessed",)),
    ],
)
def test_encodings(parse: Parse, head: str, codec: str, flags: tuple[str, ...]) -> None:
    [record] = parse((head + poslog(transaction(name="Grädde é"))).encode(codec))
    assert found(record).receipt.lines[0].article_name == "Grädde é"
    assert found(record).receipt.flags == flags


def test_an_unknown_encoding_is_named(parse: Parse) -> None:
    with pytest.raises(DocumentError, match="unknown encoding 'klingon'"):
        parse(b'<?xml version="1.0" encoding="klingon"?>' + poslog(transaction()).encode())


@pytest.mark.parametrize(
    ("time", "expected", "flags"),
    [
        ("2026-11-01T01:30:00", "2026-11-01T01:30:00-04:00", ("dst-ambiguous",)),
        ("2026-03-08T02:30:00", "2026-03-08T03:30:00-04:00", ("dst-gap",)),
        ("2026-07-01T12:00:00", "2026-07-01T12:00:00-04:00", ()),
        ("2026-07-01T12:00:00+02:00", "2026-07-01T12:00:00+02:00", ()),
        ("2026-07-01T12:00:00Z", "2026-07-01T08:00:00-04:00", ()),
    ],
)
def test_local_time(parse: Parse, time: str, expected: str, flags: tuple[str, ...]) -> None:
    """The hour that DST repeats and the hour it skips: a deterministic offset and a flag, never an exception."""
    [record] = parse(poslog(transaction(time=time)).encode())
    assert found(record).receipt.created.isoformat() == expected
    assert found(record).receipt.flags == flags


@pytest.mark.parametrize("time", ["", "yesterday", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z"])
def test_odd_times_never_crash(parse: Parse, time: str) -> None:
    [record] = parse(poslog(transaction(time=time)).encode())
    assert isinstance(record, (Broken, Found))


def test_a_quantity_of_zero_is_taken_as_it_is(parse: Parse) -> None:
    [record] = parse(poslog(transaction().replace("<Quantity>1<", "<Quantity>0<")).encode())
    [line] = found(record).receipt.lines
    assert (line.quantity, line.paid) == (Decimal(0), Decimal(5))


def test_what_is_nested_too_deep_is_a_document_error(parse: Parse) -> None:
    deep = "<a>" * 100_000 + "</a>" * 100_000
    with pytest.raises(DocumentError, match="not well-formed"):
        parse(poslog(transaction(1), transaction(2, name=deep)).encode())


def test_amounts_beyond_reckoning_are_held(parse: Parse) -> None:
    huge = "<RegularSalesUnitPrice>999999999999999</RegularSalesUnitPrice>"
    content = transaction().replace(
        "<ExtendedAmount>5.00</ExtendedAmount><Quantity>1</", huge + "<Quantity>99999999999999.9</"
    )
    [broken] = parse(poslog(content).encode())
    assert isinstance(broken, Broken)
    assert "amounts have more digits than can be calculated with" in broken.reason


def test_without_a_business_date_the_day_of_the_receipt_counts(parse: Parse) -> None:
    content = transaction().replace("<BusinessDayDate>2026-03-14</BusinessDayDate>", "")
    [record] = parse(poslog(content).encode())
    assert found(record).receipt.id == "1_1_2026-03-14_1"


def test_a_receipt_of_fifty_thousand_lines(parse: Parse) -> None:
    line = "<LineItem><Sale><ItemID>P</ItemID><ExtendedAmount>0.01</ExtendedAmount></Sale></LineItem>"
    content = transaction().replace(">5.00</Total", ">505.00</Total").replace("<Amount>5.00<", "<Amount>505.00<")
    content = content.replace("<RetailTransaction>", "<RetailTransaction>" + line * 50_000)
    [record] = parse(poslog(content).encode())
    assert found(record).receipt.total == Decimal(505)
    assert len(found(record).receipt.lines) == 50_001


PEAK = """
import re, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from tillpost.model import Document, Found, receipt_id
from tillpost_poslog.parse import parse
from tillpost_poslog.settings import Settings

settings = Settings(timezone=ZoneInfo("UTC"), loyalty="email")
records = parse(Document.from_path(Path(sys.argv[1])), settings, receipt_id)
count = sum(isinstance(record, Found) for record in records)
# getrusage would show the peak of the process that started this one, too.
print(count, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_memory_does_not_grow_with_the_document(tmp_path: Path) -> None:
    peaks = []
    for count in (10, 1000):
        path = tmp_path / f"{count}.xml"
        large = "<Signature>" + "x" * 40_000 + "</Signature><Total"  # 40 MB in the larger document
        path.write_text(poslog(*(transaction(number).replace("<Total", large) for number in range(1, count + 1))))
        run = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
        read, peak = run.stdout.split()
        assert int(read) == count
        peaks.append(int(peak) / 1024)
    assert peaks[1] - peaks[0] < 15


def test_every_sample_has_its_test() -> None:
    samples = {path.stem for path in (Path(tillpost_poslog.__file__).parent / "samples").glob("*.xml")}
    text = "".join((Path(__file__).parent / f"test_{name}.py").read_text() for name in ("samples", "special_sales"))
    assert {name for name in samples if f'sample("{name}"' in text} == samples

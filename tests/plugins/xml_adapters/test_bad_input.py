"""Broken, hostile and odd documents, for each adapter that reads XML."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.plugins.xml_adapters.tills import TILLS, Till
from tillpost import DocumentError
from tillpost.model import Broken, Found, NoReceipt, Parsed


@pytest.fixture(params=TILLS, ids=lambda till: str(till.name))
def till(request: pytest.FixtureRequest) -> Till:
    given: Till = request.param
    return given


def parse(till: Till, *inner: str, head: str = "", codec: str = "utf-8") -> list[Parsed]:
    return list(till.parse((head + till.document("".join(inner))).encode(codec, "surrogatepass")))


def found(parsed: Parsed) -> Found:
    assert isinstance(parsed, Found), parsed
    return parsed


def reason(parsed: Parsed) -> str:
    assert isinstance(parsed, Broken), parsed
    return parsed.reason


@pytest.mark.parametrize(
    "subset",
    [
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        "<!DOCTYPE x>",
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_doctype_is_refused_before_anything_is_read(till: Till, subset: str, codec: str) -> None:
    with pytest.raises(DocumentError, match="has a DOCTYPE"):
        next(till.parse((subset + till.document(till.record())).encode(codec)))


def test_a_broken_record_is_held_with_its_place_and_the_others_go_on(till: Till) -> None:
    before, broken, after = parse(till, till.record(1), "\n", till.record(2, amount="4.99"), "\n", till.record(3))
    assert (found(before).receipt.number, found(after).receipt.number) == ("1", "3")
    assert f"line 3, {till.noun} 2: " in reason(broken)
    assert "(difference -0.01)" in reason(broken)
    assert isinstance(broken, Broken)
    assert (broken.place, broken.number, broken.store) == (f"line 3, {till.noun} 2", "2", "1")
    [again] = till.parse(broken.raw)
    assert "(difference -0.01)" in reason(again)


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("NaN", "out of bounds"),
        ("Infinity", "out of bounds"),
        ("1e999999", "out of bounds"),
        ("1e1000000", "out of bounds"),
        ("1e99999999999999999999", "not a number"),
        ("-1e999999", "out of bounds"),
        ("1e-999999999", "digits behind the point"),
        ("5,00", "not a number"),
        ("0x10", "not a number"),
    ],
)
@pytest.mark.parametrize("where", ["amount", "total", "quantity"])
def test_a_text_that_is_not_a_number_is_named(till: Till, amount: str, message: str, where: str) -> None:
    broken, after = parse(till, till.record(1, **{where: amount}), till.record(2))
    assert message in reason(broken)
    assert found(after).receipt.number == "2"


def test_half_a_cent_is_refused(till: Till) -> None:
    [broken] = parse(till, till.record(amount="5.005", total="5.005"))
    assert "5.005 has more digits behind the point than" in reason(broken)


def test_a_quantity_of_zero_is_taken_as_it_is(till: Till) -> None:
    [record] = parse(till, till.record(quantity="0"))
    [line] = found(record).receipt.lines
    assert (line.quantity, line.paid) == (Decimal(0), Decimal(5))


def test_amounts_beyond_reckoning_are_held(till: Till) -> None:
    record = till.record()
    assert till.beyond[0] in record
    broken, after = parse(till, record.replace(*till.beyond), till.record(2))
    assert "amounts have more digits than can be calculated with" in reason(broken)
    assert found(after).receipt.number == "2"


def test_what_stood_before_the_cut_stands(till: Till) -> None:
    content = till.document(till.record(1) + till.record(2) + till.record(3)).encode()
    records = till.parse(content[: content.rindex(b"</Description>" if b"<Sale>" in content else b"</ctLine>")])
    assert [found(next(records)).receipt.number for _ in range(2)] == ["1", "2"]
    with pytest.raises(DocumentError, match=rf"not well-formed XML at line .* {till.noun}s before it: 2"):
        next(records)


@pytest.mark.parametrize("content", [b"", b" ", b"{}", b"<other/>", b"\xff\xfe", b"\x00" * 50, b"PK\x03\x04"])
def test_a_document_of_another_format_is_a_document_error(till: Till, content: bytes) -> None:
    with pytest.raises(DocumentError):
        list(till.parse(content))


def test_what_is_nested_too_deep_is_a_document_error(till: Till) -> None:
    with pytest.raises(DocumentError, match="not well-formed"):
        parse(till, till.record(more="<a>" * 100_000 + "</a>" * 100_000))


@pytest.mark.parametrize("written", ["Mi\x0blk", "Mi&#11;lk", "Mi&#x0B;lk", "Mi\ufffelk", "Mi&#xD800;lk", "Mi\x00lk"])
def test_forbidden_characters_are_taken_out_and_flagged(till: Till, written: str) -> None:
    marked, clean = parse(till, till.record(1, name=written), till.record(2))
    assert found(marked).receipt.lines[0].article_name == "Milk"
    assert found(marked).receipt.flags == ("control-characters",)
    assert found(clean).receipt.flags == ()
    [again] = till.parse(found(marked).raw)
    assert found(again).receipt.flags == ("control-characters",)


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
def test_encodings(till: Till, head: str, codec: str, flags: tuple[str, ...]) -> None:
    [record] = parse(till, till.record(name="Rømmegrøt é"), head=head, codec=codec)
    assert found(record).receipt.lines[0].article_name == "Rømmegrøt é"
    assert found(record).receipt.flags == flags


def test_an_unknown_encoding_is_named(till: Till) -> None:
    with pytest.raises(DocumentError, match="unknown encoding 'klingon'"):
        parse(till, till.record(), head='<?xml version="1.0" encoding="klingon"?>')


@pytest.mark.parametrize(
    ("time", "expected", "flags"),
    [
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00", ("dst-ambiguous",)),
        ("2026-03-29T02:30:00", "2026-03-29T03:30:00+02:00", ("dst-gap",)),
        ("2026-07-01T12:00:00", "2026-07-01T12:00:00+02:00", ()),
        ("2026-07-01T12:00:00.5", "2026-07-01T12:00:00.500000+02:00", ()),
        ("2026-07-01T12:00:00+01:00", "2026-07-01T12:00:00+01:00", ()),
        ("2026-07-01T12:00:00Z", "2026-07-01T14:00:00+02:00", ()),
    ],
)
def test_local_time(till: Till, time: str, expected: str, flags: tuple[str, ...]) -> None:
    [record] = parse(till, till.record(time=time))
    assert found(record).receipt.created.isoformat() == expected
    assert found(record).receipt.flags == flags


@pytest.mark.parametrize(
    "time", ["", "T", "yesterday", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z", "2026-03-14T25:00"]
)
def test_odd_times_are_held_with_their_place(till: Till, time: str) -> None:
    [record] = parse(till, till.record(time=time))
    assert "Time" in reason(record) or "transDate" in reason(record)


def test_a_record_that_is_not_a_sale_is_skipped_or_ignored(till: Till) -> None:
    for flag in till.no_sales:
        before, record, after = parse(till, till.record(1), till.record(2, flag=flag), till.record(3))
        assert isinstance(record, NoReceipt)
        assert (record.reason, record.retail, record.number) == (flag, True, "2")
        assert (found(before).receipt.number, found(after).receipt.number) == ("1", "3")


def test_without_a_customer_there_is_none_and_with_one_no_message_names_it(till: Till) -> None:
    nobody, somebody, broken = parse(
        till, till.record(1), till.record(2, customer=True), till.record(3, customer=True, name="Anna", amount="4.00")
    )
    assert found(nobody).receipt.customer is None
    customer = found(somebody).receipt.customer
    assert customer is not None
    assert [identifier.value for identifier in customer.identifiers] == ["77", "anna@example.com"]
    assert "anna" not in reason(broken).lower()
    assert "77" not in reason(broken)


def test_a_name_that_is_markup_stays_a_name(till: Till) -> None:
    [record] = parse(till, till.record(name="&lt;/Receipt&gt;&lt;script&gt;=cmd|' /C'"))
    assert found(record).receipt.lines[0].article_name == "</Receipt><script>=cmd|' /C'"
    [again] = till.parse(found(record).raw)
    assert found(again).receipt.lines == found(record).receipt.lines


def test_a_receipt_of_fifty_thousand_lines(till: Till) -> None:
    [record] = parse(till, till.record(more=till.line * 50_000, total="505.00"))
    assert len(found(record).receipt.lines) == 50_001
    assert found(record).receipt.total == Decimal(505)


def test_the_same_document_gives_the_same_ids(till: Till) -> None:
    first, second = (parse(till, till.record(1), till.record(2)) for _ in range(2))
    assert [found(item).receipt for item in first] == [found(item).receipt for item in second]
    assert len({found(item).receipt.id for item in first}) == 2


PEAK = """
import re, sys
from pathlib import Path
from tests.plugins.xml_adapters.tills import TILLS
from tillpost.model import Found

[till] = [till for till in TILLS if till.name == sys.argv[1]]
count = sum(isinstance(record, Found) for record in till.parse(Path(sys.argv[2])))
# getrusage would show the peak of the process that started this one, too.
print(count, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_memory_does_not_grow_with_the_document(till: Till, tmp_path: Path) -> None:
    peaks = []
    for count in (10, 1000):
        path = tmp_path / f"{count}.xml"
        large = f"<Signature>{'x' * 40_000}</Signature>"  # 40 MB in the larger document
        events = "<event><eventType>13005</eventType></event>" * count * 20 if till.name == "saft-cash" else ""
        path.write_text(
            till.document(events + "".join(till.record(number, more=large) for number in range(1, count + 1)))
        )
        run = subprocess.run(
            [sys.executable, "-c", PEAK, till.name, str(path)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
        read, peak = run.stdout.split()
        assert int(read) == count
        peaks.append(int(peak) / 1024)
    assert peaks[1] - peaks[0] < 15

"""XML read record by record: what is let go of, what has a bound, and what is said of a document without records."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.support.proportion import is_in_proportion
from tillpost import DocumentError, InvalidValue
from tillpost.kit.xml import XmlFormat, amount, attribute, children, detect_encoding, text, xml_records
from tillpost.model import Document

FORMAT = XmlFormat(
    roots=("Log",),
    records={"Sale": ("Log", "Day")},
    others={"Shop": ("Master",), "Day": ("Log",)},
)
MB = 1 << 20


def read(content: str | bytes) -> list[str]:
    """Every element that is yielded: its place, and the text of its N."""
    return list(reading(content))


def reading(content: str | bytes) -> Iterator[str]:
    document = Document.from_bytes("d.xml", content if isinstance(content, bytes) else content.encode())
    for record in xml_records(document, detect_encoding(document), FORMAT):
        yield f"{record.place}: {text(record.element, 'N')}"


def refusal(content: str | bytes) -> str:
    with pytest.raises(DocumentError) as error:
        read(content)
    return str(error.value)


def test_records_and_others_are_yielded_in_the_order_in_which_they_end() -> None:
    content = (
        "<Log><Master><Shop><N>x</N></Shop></Master>\n<Day><Sale><N>1</N></Sale>\n<Sale><N>2</N></Sale></Day></Log>"
    )
    assert read(content) == [
        "line 1, shop 1: x", "line 2, sale 1: 1", "line 3, sale 2: 2", "line 2, day 1: "
    ]  # fmt: skip


def test_a_document_around_the_root_is_read_through() -> None:
    assert read("<s:Envelope xmlns:s='s'><s:Body><Log><Sale><N>1</N></Sale></Log></s:Body></s:Envelope>") == [
        "line 1, sale 1: 1"
    ]


def test_a_record_may_be_a_document_of_its_own() -> None:
    assert read("<?xml version='1.0'?><!-- one --><Sale><N>1</N></Sale>") == ["line 1, sale 1: 1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "does not begin with an element; Sale is read in Log or Day"),
        ("<Log/>", "has no Sale element; root is Log, and Sale is read in Log or Day"),
        ("<Other><a/></Other>", "has no Sale element; root is Other, and Sale is read in Log or Day"),
        ("<Other><Sale/><x:Sale xmlns:x='x'/><Sales/></Other>", "2 Sale elements, none where this adapter reads them; "
         "root is Other"),
        ("<Log><Batch>\n<Sale/></Batch></Log>", "1 Sale element, none where this adapter reads them (the first is "
         "Log/Batch/Sale in line 2); root is Log"),
        ("<Log><Sale/><Batch><Sale/></Batch></Log>", "1 Sale element where this adapter reads none (the first is "
         "Log/Batch/Sale in line 1); Sale is read in Log or Day. The records that stand there are accepted: 1"),
        ("<!--" + "x" * 70_000 + "-->", "does not begin with an element"),
    ],
)  # fmt: skip
def test_a_document_without_records_is_refused_with_what_stands_there(content: str, message: str) -> None:
    assert message in refusal(content)


def test_an_element_inside_a_record_is_no_record_of_its_own() -> None:
    assert read("<Log><Sale><N>1</N><Batch><Sale/></Batch></Sale></Log>") == ["line 1, sale 1: 1"]


def test_record_elements_are_counted_across_the_pieces_of_a_document() -> None:
    between = "x" * 9_973
    assert refusal(f"<Other>{f'<Sale  />{between}' * 100}</Other>").startswith("d.xml: 100 Sale elements, none where")


def test_many_records_elsewhere_end_the_reading() -> None:
    assert "1001 Sale elements, none where this adapter reads them" in refusal(
        f"<Log><Batch>{'<Sale/>' * 5000}</Batch></Log>"
    )


@pytest.mark.parametrize("inside", ["<!-- x -->", "<!---->", "<?x y?>", "<!-- a --><!-- b -->", "<?a?><!-- b -->"])
def test_case_28_a_value_with_a_comment_or_an_instruction_inside_is_whole(inside: str) -> None:
    assert read(f"<Log><Sale><N>{inside}10{inside}41{inside}</N></Sale></Log>") == ["line 1, sale 1: 1041"]


def test_case_28_cdata_and_references_are_part_of_a_value() -> None:
    assert read("<Log><Sale><N>1<![CDATA[0]]>&#52;1</N></Sale></Log>") == ["line 1, sale 1: 1041"]


def test_case_28_an_element_inside_a_value_does_not_cut_it_and_no_number_has_one() -> None:
    sale = etree.fromstring("<Sale><N>10<b/>41</N><P>10 <b>9</b></P></Sale>")
    assert text(sale, "N") == "1041"
    assert amount(sale, "P") == 10
    with pytest.raises(InvalidValue, match="Sale/N: the element b stands inside the number"):
        amount(sale, "N")


def test_case_28_an_entity_inside_a_value_is_refused_with_its_line() -> None:
    assert "not well-formed XML at line 2: Entity 'x' not defined" in refusal(
        "<Log>\n<Sale><N>10&x;41</N></Sale></Log>"
    )


def test_a_doctype_is_refused_whatever_the_root() -> None:
    assert "has a DOCTYPE" in refusal("<?xml version='1.0'?><!-- x --><!DOCTYPE a [<!ENTITY x 'y'>]><Other/>")


def test_a_record_has_a_bound_of_elements() -> None:
    before = "<Log><Sale><N>1</N></Sale>" + " " * 70_000
    records = reading(f"{before}<Sale>{'<a/>' * 600_000}</Sale></Log>")
    assert next(records) == "line 1, sale 1: 1"
    with pytest.raises(DocumentError, match=r"this Sale is larger than a record may be .* records before it: 1"):
        next(records)


def test_a_record_has_a_bound_of_bytes() -> None:
    note = f"<a>{'x' * MB}</a>"
    assert "this Sale is larger than a record may be (32 MiB" in refusal(f"<Log><Sale>{note * 34}</Sale></Log>")


def test_what_is_no_record_has_a_bound() -> None:
    junk = f"<a>{'x' * 1000}</a>"
    assert "has no Sale element in 8 MiB; root is Log" in refusal(f"<Log>{junk * 10_000}</Log>")
    sale = f"<Sale><N>1</N></Sale>{junk * 4000}"
    assert len(read(f"<Log>{sale * 4}</Log>")) == 4


@pytest.mark.parametrize(
    "unit", ["<a{}/>", "<a b{}=''/>", "<a xmlns='u{}'/>", "<a xmlns:b='u{}'/>", "<Sale><a{}/></Sale>"]
)
def test_names_have_a_bound(unit: str) -> None:
    """The parser keeps every name for as long as its thread lives."""
    assert "has more than 10000 different names" in refusal(f"<Log>{''.join(map(unit.format, range(300_000)))}</Log>")


def test_ordinary_names_and_texts_are_far_from_the_bound() -> None:
    sale = (
        "<Sale><N>1</N>" + "".join(f"<Line{n} a{n}='x'>text {n} of {n} = {n}</Line{n}>" for n in range(100)) + "</Sale>"
    )
    assert len(read(f"<Log>{sale * 2_000}</Log>")) == 2_000


def test_depth_has_a_bound() -> None:
    assert "not well-formed" in refusal(f"<Log><Sale>{'<a>' * 300}{'</a>' * 300}</Sale></Log>")


PEAK = """
import re, sys
from pathlib import Path
from tillpost import DocumentError
from tillpost.kit.xml import XmlFormat, detect_encoding, xml_records
from tillpost.model import Document

FORMAT = XmlFormat(roots=("Log",), records={"Sale": ("Log", "Day")}, others={"Shop": ("Master",), "Day": ("Log",)})
document = Document.from_path(Path(sys.argv[1]))
try:
    for record in xml_records(document, detect_encoding(document), FORMAT):
        pass
except DocumentError as error:
    print(str(error).partition(": ")[2][:20])
# getrusage would show the peak of the process that started this one, too.
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""

NO_RECORD = {
    "unknown elements": ("<Log>", "<a><b>1</b></a>", "</Log>"),
    "unknown elements in one": ("<Log><Junk>", "<a><b>1</b></a>", "</Junk></Log>"),
    "another root": ("<Other>", "<a><b>1</b></a>", "</Other>"),
    "texts between": ("<Log>", "<a/>text", "</Log>"),
    "records elsewhere": ("<Log><Batch>", "<Sale><N>1</N></Sale>", "</Batch></Log>"),
    "names": ("<Log>", "<a{0}/>", "</Log>"),
    "a giant record": ("<Log><Sale>", "<a>text of it</a>", "</Sale></Log>"),
    "junk between records": ("<Log>", "<Sale><N>1</N></Sale>" + "<a/>" * 1000, "</Log>"),
}


def write(path: Path, kind: str, size: int) -> None:
    """A document of so many bytes that has no record, or little of one."""
    head, unit, tail = NO_RECORD[kind]
    with path.open("w") as file:
        file.write(head)
        written = number = 0
        while written < size:
            piece = "".join(unit.format(number + one) for one in range(1000))
            number += 1000
            written += file.write(piece)
        file.write(tail)


def peak(path: Path) -> float:
    """The most memory of a process that reads the document, in MB."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    return int(run.stdout.split()[-1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("kind", [kind for kind in NO_RECORD if kind != "a giant record"])
@pytest.mark.parametrize("megabytes", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_memory_does_not_grow_for_what_is_no_record(kind: str, megabytes: int, tmp_path: Path) -> None:
    path = tmp_path / "no-record.xml"
    write(path, kind, megabytes * MB)
    assert peak(path) < 100


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_a_giant_record_is_given_up_before_it_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "giant.xml"
    write(path, "a giant record", 100 * MB)
    assert peak(path) < 350


def read_or_refuse(content: bytes) -> None:
    with contextlib.suppress(DocumentError):
        read(content)


@pytest.mark.parametrize("megabytes", [0.5, pytest.param(12.5, marks=pytest.mark.slow)])
def test_siblings_take_linear_time(megabytes: float) -> None:
    """Of records, between records, and in a record; the largest of the slow ones has 50 MB."""
    for head, unit, tail in (
        ("<Log>", "<Sale><N>1</N></Sale>" * 100, "</Log>"),
        ("<Log>", "<Sale><N>1</N></Sale>" + "<a/>" * 1000, "</Log>"),
        ("<Log>", "<Sale><N>1</N>" + "<a/>" * 100_000 + "</Sale>", "</Log>"),
    ):

        def work(count: int, head: str = head, unit: str = unit, tail: str = tail) -> None:
            read_or_refuse((head + unit * count + tail).encode())

        assert is_in_proportion(work, int(megabytes * MB / len(unit)) + 1)


@pytest.mark.parametrize("unit", ["<??>", "<!---->", " <?a?> ", "<!--", "<"])
def test_the_patterns_of_the_beginning_take_linear_time(unit: str) -> None:
    """Prologs in which a greedy pattern would try every way to divide them."""
    assert is_in_proportion(lambda count: read_or_refuse((unit * count).encode()), 16_000 // len(unit))


def test_refusals_show_no_more_than_names(capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal("<Other><Mail>anna@example.com</Mail><Sale/></Other>")
    assert "anna" not in message
    assert not re.search(r"[\x00-\x1f]", message)


# --- elements by their local names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("A",), ("A", "B"), ("A", "B", "C", "D"), ("D", "C", "B", "A", "E")])
def test_children_of_few_and_of_many_names_come_in_the_order_of_the_document(names: tuple[str, ...]) -> None:
    parent = etree.fromstring("<P xmlns:v='urn:v'><B/><v:A/>text<!-- A --><X><A/></X><C/><?A?><A/></P>")
    found = [etree.QName(inside).localname for inside in children(parent, *names)]
    assert found == [name for name in ("B", "A", "C", "A") if name in names]


def test_an_attribute_is_found_in_any_namespace_and_first_in_none() -> None:
    both, other, none = etree.fromstring(
        "<P xmlns:v='urn:v'><A v:Offset='07:00' Offset=' 08:00 '/><A x='1' v:Offset='07:00'/><A NotOffset='1'/></P>"
    )
    assert [attribute(element, "Offset") for element in (both, other, none)] == ["08:00", "07:00", ""]

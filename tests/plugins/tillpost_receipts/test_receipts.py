"""JSON lines and arrays, good and bad, and 2,000 baskets of real size."""

import gzip
import importlib.util
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tillpost_receipts
from tests.support.adapter import parse as parse_by
from tests.support.exports import export
from tillpost import DocumentError
from tillpost.model import Broken, Document, Found, LineKind, Parsed

Parse = Callable[..., list[Parsed]]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def parse() -> Parse:
    return lambda content, **settings: parse_by(tillpost_receipts.plugin, content, **settings)


def receipt(number: str = "1", **changes: Any) -> dict[str, Any]:
    return {
        "number": number,
        "created": "2026-03-14T10:00:00+01:00",
        "business_date": "2026-03-14",
        "store": "600",
        "till": "2",
        "currency": "SEK",
        "total": "49.50",
        "lines": [{"kind": "purchase", "sku": "A", "quantity": "1", "paid": "49.50", "article_name": "Mjölk"}],
        "tenders": [{"type": "card", "amount": "49.50"}],
    } | changes


def written(*values: Any, **changes: Any) -> bytes:
    return "\n".join(json.dumps(value, ensure_ascii=False) for value in values).encode()


def found(parsed: Parsed) -> Found:
    assert isinstance(parsed, Found), parsed
    return parsed


def test_a_receipt_a_line(parse: Parse) -> None:
    first, second = parse(written(receipt("1"), receipt("2", total="49.50")) + b"\n\n")
    assert found(first).receipt.id == "600_2_2026-03-14_1"
    assert found(second).receipt.total == Decimal("49.50")
    assert found(second).receipt.raw.place == "line 2"
    assert found(second).receipt.raw.document == "doc"
    assert json.loads(found(second).raw) == receipt("2")


def test_a_tender_that_is_the_rounding_of_cash_is_a_line(parse: Parse) -> None:
    tenders = [{"type": "cash", "amount": "50.00"}, {"type": "rounding", "amount": "-0.50"}]
    plain, rounded = parse(written(receipt("1"), receipt("2", tenders=tenders)))
    assert found(plain).receipt.flags == ()
    given = found(rounded).receipt
    assert (given.total, given.flags) == (Decimal("50.00"), ("rounding-as-tender",))
    assert [(line.kind, line.sku, line.paid) for line in given.lines[1:]] == [
        (LineKind.ADJUSTMENT, "rounding", Decimal("0.50"))
    ]
    assert [tender.type for tender in given.tenders] == ["cash"]


def test_a_rounding_that_no_total_can_have_is_held(parse: Parse) -> None:
    big = "999999999999999.00"
    tenders = [
        {"type": "cash", "amount": big},
        {"type": "cash", "amount": "9.00"},
        {"type": "rounding", "amount": "-9.00"},
    ]
    line = {"kind": "purchase", "sku": "A", "quantity": "1", "paid": big}
    [held] = parse(written(receipt("1", total=big, lines=[line], tenders=tenders)))
    assert isinstance(held, Broken)
    assert "total is out of bounds" in held.reason


def test_a_byte_order_mark_is_not_part_of_the_first_line(parse: Parse) -> None:
    [only] = parse(b"\xef\xbb\xbf" + written(receipt()))
    assert found(only).receipt.lines[0].article_name == "Mjölk"


def test_an_id_that_is_given_stays(parse: Parse) -> None:
    [only] = parse(written(receipt(id="mine")))
    assert found(only).receipt.id == "mine"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "not JSON"),
        (written(receipt("2", total="50.00")), "lines sum to 49.50, the receipt's total is 50.00 (difference -0.50)"),
        (written(receipt("2", currncy="SEK")), "did you mean 'currency'?"),
        (written(receipt("2")).replace(b'"49.50"', b"NaN", 1), "NaN"),
        (written(receipt("2")).replace(b'"till"', b'"store"', 1), "key 'store' occurs twice"),
        (b"[" * 50_000, "nested too deep"),
        (b"\xe5\xe4\xf6", "not UTF-8: byte 1 is invalid"),
        (b"7", "must be an object"),
    ],
)
def test_a_bad_line_is_held_with_its_number_and_the_others_go_on(parse: Parse, bad: bytes, reason: str) -> None:
    first, broken, last = parse(b"\n".join([written(receipt("1")), bad, written(receipt("3"))]))
    assert found(first).receipt.number == "1"
    assert found(last).receipt.number == "3"
    assert isinstance(broken, Broken)
    assert broken.place == "line 2"
    assert reason in broken.reason
    assert broken.reason.startswith("line 2")
    assert broken.raw == bad


@pytest.mark.parametrize(
    "amount",
    ["NaN", "Infinity", "-Infinity", "1e999999", "1e1000000", "1e-999999999", '"1e999999"', '"1e1000000"', "9" * 5000],
)
def test_an_amount_that_is_not_a_number_is_held_with_its_place(parse: Parse, amount: str) -> None:
    bad = written(receipt("2")).replace(b'"49.50"', amount.encode())
    broken, after = parse(bad + b"\n" + written(receipt("3")))
    assert isinstance(broken, Broken)
    assert broken.reason.startswith("line 1")
    assert (broken.raw, len(broken.reason) < 300) == (bad, True)
    assert found(after).receipt.number == "3"


@pytest.mark.parametrize("kind", ["adjustment", "purchase"])
def test_a_quantity_of_zero_is_taken_as_it_is(parse: Parse, kind: str) -> None:
    line = {"kind": kind, "sku": "A", "quantity": "0", "paid": "0"}
    [only] = parse(written(receipt(lines=[*receipt()["lines"], line])))
    result = found(only).receipt
    assert [(item.kind.value, str(item.quantity)) for item in result.lines] == [("purchase", "1"), (kind, "0")]
    assert result.total == Decimal("49.50")


def test_number_and_store_of_a_bad_line_are_given(parse: Parse) -> None:
    [broken] = parse(written(receipt("17", total="1")))
    assert isinstance(broken, Broken)
    assert (broken.number, broken.store) == ("17", "600")


@pytest.mark.parametrize("character", ["\\u000b", "\\ud800", "\\ufffe", "\\u0000"])
def test_control_characters_are_taken_out_and_flagged(parse: Parse, character: str) -> None:
    line = written(receipt()).replace("ö".encode(), character.encode())
    [only] = parse(line)
    assert found(only).receipt.lines[0].article_name == "Mjlk"
    assert found(only).receipt.flags == ("control-characters",)
    assert found(only).raw == line


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array(parse: Parse, indent: int | None) -> None:
    content = json.dumps([receipt("1"), receipt("2", total="9"), receipt("3")], indent=indent).encode()
    first, broken, last = parse(content)
    assert found(first).receipt.number == "1"
    assert isinstance(broken, Broken)
    assert found(last).receipt.number == "3"
    if indent:
        line = int(broken.place.removeprefix("line "))
        assert content.decode().splitlines()[line - 1].strip() == "{"
        assert '"number": "2"' in content.decode().splitlines()[line]


@pytest.mark.parametrize("content", [b" [ ] ", b"", b"\n"])
def test_case_01_a_document_without_a_record_is_refused(parse: Parse, content: bytes) -> None:
    with pytest.raises(DocumentError, match="has no record"):
        parse(content)


def test_one_receipt_written_over_many_lines(parse: Parse) -> None:
    content = json.dumps(receipt("1"), indent=2).encode()
    [only] = parse(content)
    assert found(only).receipt.number == "1"
    assert found(only).raw == content


@pytest.mark.parametrize("end", [b"", b",", b", {", b"] 7", b" {}]"])
def test_what_stood_before_a_fault_in_an_array_stands(parse: Parse, end: bytes, tmp_path: Path) -> None:
    from tillpost.model import receipt_id
    from tillpost_receipts.parse import parse as parse_document
    from tillpost_receipts.settings import Settings

    document = Document.from_bytes("r.json", b"[" + written(receipt("1")) + end)
    records = parse_document(document, Settings(), receipt_id)
    assert found(next(records)).receipt.number == "1"
    with pytest.raises(DocumentError, match="line 1"):
        next(records)


def test_utf_16_and_records_beyond_measure_are_document_errors(parse: Parse) -> None:
    with pytest.raises(DocumentError, match="UTF-16"):
        parse(json.dumps(receipt()).encode("utf-16"))
    with pytest.raises(DocumentError, match="line 1: the record is larger than 2000 bytes"):
        parse(written(receipt(extra={"a": "x" * 2000})), largest=2000)
    with pytest.raises(DocumentError, match="an array or object of more than 2000 bytes"):
        parse(b"[" + written(receipt(extra={"a": "x" * 2000})) + b"]", largest=2000)


def test_fifty_thousand_lines_in_one_receipt(parse: Parse) -> None:
    line = {"kind": "purchase", "sku": "A", "quantity": 1, "paid": "0.01"}
    big = receipt(total="500.00", lines=[line] * 50_000, tenders=[{"type": "cash", "amount": 500}])
    [only] = parse(written(big))
    assert len(found(only).receipt.lines) == 50_000


def test_two_thousand_baskets_are_all_found(parse: Parse) -> None:
    path = export("completejourney", "receipts-small.jsonl.gz")
    # tests/ is no package; the script is loaded from its file.
    spec = importlib.util.spec_from_file_location("completejourney", ROOT / "tests" / "support" / "completejourney.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parsed = parse("\n".join(module.receipts(path)).encode())

    with gzip.open(path, "rt") as file:
        baskets = [json.loads(line) for line in file]
    receipts = [found(record).receipt for record in parsed]
    assert len(receipts) == len(baskets) == 2000
    assert len({result.id for result in receipts}) == 2000
    paid = sum(Decimal(line["sales_value"]) for basket in baskets for line in basket["lines"])
    assert sum(result.total for result in receipts) == paid > 0
    households = {f"household-{basket['household_id']}" for basket in baskets}
    assert {result.customer.identifiers[0].value for result in receipts if result.customer} == households
    odd = sum(line["quantity"] <= 0 for basket in baskets for line in basket["lines"])
    lines = [line for result in receipts for line in result.lines]
    assert sum(line.kind is LineKind.ADJUSTMENT for line in lines) == odd > 0
    assert len(lines) == 18515


def test_case_27_a_wrapper_around_the_receipts(parse: Parse) -> None:
    form = receipt("1001")
    for indent in (None, 2):
        for name in ("receipts", "sales"):
            content = json.dumps({"day": "2026-03-14", name: [form, form]}, indent=indent).encode()
            found = parse(content, records=name)
            numbers = [record.receipt.number for record in found if isinstance(record, Found)]
            assert numbers == ["1001", "1001"]
    [held] = parse(json.dumps({"sales": [form]}).encode())
    assert isinstance(held, Broken)
    assert "is no receipt, and has lists: sales; set `records` to the one that has the receipts" in held.reason


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"store": "7.0"}, 'store: "7.0" is an id that was made a number'),
        ({"till": "#N/A"}, 'till: "#N/A" is an error of the spreadsheet'),
        (
            {"customer": {"identifiers": [{"kind": "memberNumber", "value": "4.6701234567E10"}]}},
            'memberNumber "4.…" (15',
        ),
    ],
)
def test_an_id_that_a_spreadsheet_broke_is_held(parse: Parse, change: dict[str, Any], fault: str) -> None:
    [held] = parse(json.dumps(receipt() | change).encode())
    assert isinstance(held, Broken)
    assert fault in held.reason

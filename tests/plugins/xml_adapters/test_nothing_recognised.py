"""A document of which nothing was recognised is refused, with what stands there and where it would be read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.plugins.xml_adapters.tills import TILLS, Till
from tests.support.proportion import is_in_proportion
from tillpost import DocumentError
from tillpost.model import Broken, Found

READINGS = Path(__file__).parent / "readings"
POSLOG, SAFT, DIGITAL = TILLS
RECORD = {"poslog": "Transaction", "saft-cash": "cashtransaction", "digital-receipt": "Transaction"}
PLACE = {"poslog": "POSLog", "saft-cash": "cashregister", "digital-receipt": "DigitalReceipt"}


def refusal(till: Till, content: str | bytes | Path) -> str:
    with pytest.raises(DocumentError) as error:
        list(till.parse(content.encode() if isinstance(content, str) else content))
    return str(error.value)


@pytest.mark.parametrize("till", [POSLOG, DIGITAL], ids=lambda till: str(till.name))
def test_case_01_another_root(till: Till) -> None:
    message = refusal(till, READINGS / "a1.xml")
    assert "1 Transaction element, none where this adapter reads them; root is Envelope" in message
    assert f"Transaction is read in {PLACE[till.name]}" in message


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
@pytest.mark.parametrize("other", TILLS, ids=lambda till: str(till.name))
def test_case_01_the_document_of_another_adapter(till: Till, other: Till) -> None:
    if till is other:
        return
    message = refusal(till, other.document(other.record(1) + other.record(2)))
    same_name = RECORD[till.name] == RECORD[other.name]
    counted = f"2 {RECORD[till.name]} elements, none where" if same_name else f"has no {RECORD[till.name]}"
    assert counted in message
    assert f"; root is {other.document('').strip('<').split(' ')[0]}, and" in message


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
def test_case_01_records_one_level_deeper(till: Till) -> None:
    message = refusal(till, till.document(f"<Batch>{till.record(1)}{till.record(2)}</Batch>"))
    assert f"2 {RECORD[till.name]} elements, none where this adapter reads them" in message
    assert f"{PLACE[till.name]}/Batch/{RECORD[till.name]} in line 1" in message


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
def test_case_01_records_of_which_some_stand_elsewhere(till: Till) -> None:
    records = till.parse(till.document(f"{till.record(1)}<Batch>{till.record(2)}</Batch>").encode())
    assert isinstance(next(records), Found)
    with pytest.raises(DocumentError, match=f"1 {RECORD[till.name]} element where this adapter reads none"):
        next(records)


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
def test_case_01_a_document_without_records(till: Till) -> None:
    assert f"has no {RECORD[till.name]}" in refusal(till, till.document(""))
    assert "does not begin with an element" in refusal(till, b"")


def test_case_01_cash_transactions_outside_their_place() -> None:
    record = SAFT.record(1)
    moved = SAFT.document("").replace("</location>", f"{record}</location>")
    assert "company/location/cashtransaction in line 1" in refusal(SAFT, moved)


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
@pytest.mark.parametrize("inside", ["<!-- x -->", "<?x y?>"])
def test_case_28_a_comment_inside_a_value_is_no_part_of_it(till: Till, inside: str) -> None:
    written = till.document(till.record(1041, customer=True))
    cut = written.replace(">1041<", f">10{inside}41<").replace(">5.00<", f">5.{inside}00<").replace(
        ">77<", f">7{inside}7<"
    )  # fmt: skip
    [plain], [marked] = list(till.parse(written.encode())), list(till.parse(cut.encode()))
    assert isinstance(plain, Found)
    assert isinstance(marked, Found)
    assert marked.receipt.id == plain.receipt.id
    assert marked.receipt.lines == plain.receipt.lines
    assert marked.receipt.customer == plain.receipt.customer


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
def test_case_28_an_element_inside_a_number_is_held(till: Till) -> None:
    [broken] = till.parse(till.document(till.record(1).replace(">5.00<", ">5<x/>1.00<")).encode())
    assert isinstance(broken, Broken)
    assert "the element x stands inside the number" in broken.reason


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
@pytest.mark.parametrize("space", ["a&#11;b", "a\x0bb", "http://[", "a b"])
def test_s1_a_namespace_that_cannot_be_written_is_no_crash(till: Till, space: str) -> None:
    """The receipt is read. Of some the parser says at the end that they are no URI."""
    written = till.document(till.record(1)).replace("xmlns='", f"xmlns='{space}", 1)
    records = till.parse(written.encode())
    record = next(records)
    assert isinstance(record, Found)
    with suppress(DocumentError):
        assert list(records) == []


@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
def test_s2_lines_of_one_record_take_linear_time(till: Till) -> None:
    back = till.line.replace("<amntTp>C", "<amntTp>D").replace("Sale>", "Return>")
    assert is_in_proportion(
        lambda count: list(till.parse(till.document(till.record(more=back * count)).encode())), 2_000
    )

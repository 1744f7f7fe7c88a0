"""Documents and records as values."""

from datetime import date
from typing import Any

import attrs
import pytest

from tillpost.errors import InvalidValue
from tillpost.model import Broken, Document, DocumentTrouble, NoReceipt, NotSent, Refused, Throttled
from tillpost.model.identity import receipt_id


def test_a_reason_is_bounded_whatever_value_it_shows() -> None:
    long = f"line 1: {'a' * 5000} is no date"
    broken = Broken(reason=long, place="line 1", raw=b"x")
    ignored = NoReceipt(reason=long, place="line 1", retail=True)
    for record in (broken, ignored, NotSent(reason=long), Refused(reason=long), DocumentTrouble(name="a", reason=long)):
        assert record.reason == f"line 1: {'a' * 991}…"
    assert Broken(reason="short", place="line 1", raw=b"x").reason == "short"


HALF = "\ud83d"
"""Half of a character beyond the first 65,536, as a program that cuts texts leaves it."""


@pytest.mark.parametrize("text", [f"day{HALF}.json", "day\udcff.json"])
def test_what_is_told_of_a_document_can_be_stored_whatever_is_in_it(text: str) -> None:
    document = Document.from_bytes(text, b"")
    trouble = DocumentTrouble(name=text, reason=text, place=text)
    record = Broken(reason=text, place=text, raw=b"", number=text, store=text)
    ignored = NoReceipt(reason=text, place=text, retail=False, number=text, store=text, till=text, voids=text)
    texts = [document.name, *attrs.astuple(trouble)[:3], NotSent(reason=text).reason, Throttled(reason=text).reason]
    texts += [record.reason, record.place, record.number, record.store, ignored.number, ignored.till, ignored.voids]
    for each in texts:
        assert each.encode().startswith(b"day\\")


@pytest.mark.parametrize("field", ["key", "cursor"])
def test_what_tells_documents_apart_is_refused_and_not_changed(field: str) -> None:
    given: Any = {"name": "a", "sha256": "0", "content": b"", field: f"x{HALF}"}
    with pytest.raises(InvalidValue, match=f"document a: {field} has a lone surrogate, half a character; decode"):
        Document(**given)


def test_a_receipt_whose_number_no_file_can_carry_is_broken_and_no_fault_of_the_program() -> None:
    with pytest.raises(InvalidValue, match="number has a lone surrogate"):
        receipt_id(store="12", till="", business_date=date(2026, 3, 14), number=f"1{HALF}")

"""A document is read on as long as something is recognised in it and not too much of it is broken."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tillpost import DocumentError
from tillpost.flow.worth_reading import MOST_BROKEN, worth_reading
from tillpost.model import Broken, NoReceipt, Parsed

BAD = Broken(reason="line 7: total is missing", place="line 7", raw=b"{}")
OTHER = NoReceipt(reason="no sale", place="line 8", retail=False)


def given(*records: Parsed) -> Generator[Parsed, None, None]:
    yield from records


def test_records_come_as_they_are() -> None:
    assert list(worth_reading(given(OTHER, BAD), "d")) == [OTHER, BAD]


def test_case_01_a_document_without_a_record_is_refused() -> None:
    with pytest.raises(DocumentError, match="d: has no record: nothing of the adapter's format was recognised in it"):
        list(worth_reading(given(), "d"))


def test_s3_a_document_of_which_most_is_broken_is_given_up_after_a_bound() -> None:
    read: list[Parsed] = []
    with pytest.raises(
        DocumentError, match="d: 1000 of its first 1900 records cannot be read, the last because of line 7"
    ):
        read.extend(worth_reading(given(*(OTHER,) * 900, *(BAD,) * 5_000), "d"))
    assert read.count(BAD) == MOST_BROKEN


def test_s3_a_large_document_of_which_less_than_half_is_broken_is_read_to_its_end() -> None:
    assert len(list(worth_reading(given(*(OTHER, OTHER, BAD) * 2_000), "d"))) == 6_000

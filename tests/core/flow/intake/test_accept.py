"""A large document: committed in groups with progress, stopped between two groups, and continued."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tillpost.errors import DocumentError, Stopped
from tillpost.flow.intake.accept import GROUP, accept
from tillpost.journal import Accepted
from tillpost.model import Document
from tillpost.model.receipt_json import dumps

COUNT = 2 * GROUP + 50


@pytest.fixture
def document(tmp_path: Path) -> Document:
    path = tmp_path / "day.jsonl"
    path.write_bytes(b"".join(dumps(sale(number, {"externalId": "4711"})) + b"\n" for number in range(1, COUNT + 1)))
    return Document.from_path(path)


def test_the_counts_so_far_are_given_after_each_commit(machine: Machine, document: Document) -> None:
    progress: list[tuple[int, int]] = []

    def tell(counts: Accepted) -> None:
        assert machine.line.journal.receipts.counts()["accepted"] == counts.accepted
        progress.append((counts.records(), document.progress.percent()))

    accept(machine.line, document, tell)
    assert [records for records, _ in progress] == [GROUP, 2 * GROUP, COUNT]
    assert progress[-1][1] == 100


def test_a_document_that_was_broken_off_goes_on_and_nothing_is_doubled(machine: Machine, document: Document) -> None:
    def stop(counts: Accepted) -> None:
        raise Stopped("the process is to end")

    with pytest.raises(Stopped):
        accept(machine.line, document, stop)
    assert machine.line.journal.receipts.counts()["accepted"] == GROUP
    counts = accept(machine.line, document)
    assert (counts.accepted, counts.duplicates) == (COUNT - GROUP, GROUP)
    assert machine.line.journal.receipts.counts()["accepted"] == COUNT


def test_what_stood_before_a_fault_is_accepted_to_the_last_record(machine: Machine) -> None:
    """Not only whole groups: the file is set aside after this, and is not handed over again."""
    content = b",\n".join(dumps(sale(number, {"externalId": "4711"})) for number in range(1, COUNT + 1))
    with pytest.raises(DocumentError, match="what is before it is accepted"):
        accept(machine.line, Document.from_bytes("day.json", b"[" + content[:-40]))
    assert machine.line.journal.receipts.counts()["accepted"] == COUNT - 1

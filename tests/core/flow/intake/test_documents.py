"""The table of documents: what came of each that was read or tried, in the commits of its records."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.query_cost import plans
from tillpost.errors import DocumentError, JournalError, Stopped, UsageError
from tillpost.flow.intake.accept import GROUP, accept
from tillpost.journal import Accepted, DocumentEntry, DocumentState, Journal, Reading, RetentionCursor
from tillpost.journal.sqlite.doctor import repair, verify
from tillpost.journal.tables import documents, received_documents
from tillpost.journal.tables.documents import LARGEST_KEPT
from tillpost.model import Document
from tillpost.model.receipt_json import dumps

COUNT = 2 * GROUP + 50


def day(path: Path, count: int = COUNT, rest: bytes = b"") -> Document:
    lines = [dumps(sale(number, {"externalId": "4711"})) + b"\n" for number in range(1, count + 1)]
    path.write_bytes(b"".join(lines) + rest)
    return Document.from_path(path)


def counts(entry: DocumentEntry) -> tuple[int, ...]:
    """Records, receipts, again, ignored, skipped, broken."""
    return entry.records, entry.receipts, entry.again, entry.ignored, entry.skipped, entry.broken


def only(journal: Journal) -> DocumentEntry:
    (entry,) = journal.documents.newest(10)
    return entry


def test_a_document_has_one_row_with_what_came_of_its_records(machine: Machine, tmp_path: Path) -> None:
    document = day(tmp_path / "day.jsonl", rest=b'{"not": "a receipt"}\n')
    accept(machine.line, document)
    entry = only(machine.line.journal)
    assert (entry.name, entry.sha256, entry.source) == ("day.jsonl", document.sha256, "accept")
    assert (entry.state, entry.size) == (DocumentState.READ, (tmp_path / "day.jsonl").stat().st_size)
    assert counts(entry) == (COUNT + 1, COUNT, 0, 0, 0, 1)


@pytest.mark.parametrize("count", [1, GROUP, GROUP + 1])
def test_a_document_of_any_length_ends_as_read(machine: Machine, tmp_path: Path, count: int) -> None:
    accept(machine.line, day(tmp_path / "day.jsonl", count))
    assert (only(machine.line.journal).state, counts(only(machine.line.journal))[:2]) == ("read", (count, count))


def test_case_01_a_document_in_which_nothing_was_recognised_is_set_aside(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="has no record"):
        accept(machine.line, day(tmp_path / "day.jsonl", 0))
    assert only(machine.line.journal).state == DocumentState.SET_ASIDE


def test_s3_a_document_of_broken_records_is_set_aside_after_a_thousand(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "day.jsonl").write_bytes(b"{}\n" * 5_000)
    with pytest.raises(
        DocumentError, match="1000 of its first 1000 records cannot be read, the last because of line 1000"
    ):
        accept(machine.line, Document.from_path(tmp_path / "day.jsonl"))
    entry = only(machine.line.journal)
    assert (entry.state, entry.broken) == (DocumentState.SET_ASIDE, 1000)


def test_a_document_that_was_broken_off_is_being_read_until_it_is_read_as_a_whole(
    machine: Machine, tmp_path: Path
) -> None:
    document = day(tmp_path / "day.jsonl")

    def stop(counts: Accepted) -> None:
        raise Stopped("the process is to end")

    with pytest.raises(Stopped):
        accept(machine.line, document, stop)
    assert (only(machine.line.journal).state, only(machine.line.journal).records) == ("reading", GROUP)
    accept(machine.line, document)
    assert only(machine.line.journal).state == "read"
    assert counts(only(machine.line.journal)) == (COUNT, COUNT, GROUP, 0, 0, 0)


def test_a_document_that_is_read_twice_says_that_it_brought_nothing(machine: Machine, tmp_path: Path) -> None:
    for _ in range(2):
        accept(machine.line, day(tmp_path / "day.jsonl", 3))
    assert [entry.again for entry in machine.line.journal.documents.newest(10)] == [3, 0]


def test_what_cannot_be_read_is_set_aside_and_told_as_an_event(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "day.json").write_bytes(b'[{"a": 1},')
    document = Document.from_path(tmp_path / "day.json")
    for _ in range(2):
        with pytest.raises(DocumentError):
            accept(machine.line, document)
    journal = machine.line.journal
    entry = only(journal)
    assert (entry.state, entry.broken, entry.place) == ("set aside", 1, str(tmp_path / "day.json"))
    assert entry.reason
    assert journal.documents.count_open() == {DocumentState.SET_ASIDE: 1}
    told = [event for event in journal.events.newest(10) if event["what"] == "document set aside"]
    assert [event["detail"]["document"] for event in told] == ["day.json", "day.json"]


def test_the_content_of_a_received_document_is_kept_while_it_is_aside(machine: Machine) -> None:
    journal = machine.line.journal
    for name, content in (("bad", b"{"), ("long", b"{" * (LARGEST_KEPT + 1))):
        with pytest.raises(DocumentError):
            accept(machine.line, Document.from_bytes(name, content), source="ingest")
    long, bad = journal.documents.newest(10)
    assert (journal.documents.content(bad.seq), journal.documents.content(long.seq)) == (b"{", None)
    journal.documents.discard(bad, "a test", 5.0)
    assert journal.documents.content(bad.seq) is None
    assert [entry.name for entry in journal.documents.open()] == ["long"]


def test_received_documents_that_cannot_be_read_leave_for_a_row_that_counts_them(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(received_documents, "MOST_LISTED", 3)
    file = Reading(Document(name="day.xml", sha256="0" * 64, path=tmp_path / "day.xml"), "folder")
    journal.documents.set_aside(file, "not XML", 1.0, str(tmp_path / "day.xml"))
    for number in range(10):
        reading = Reading(Document.from_bytes(f"{number}", b"{%d" % number), "ingest")
        journal.documents.set_aside(reading, "not JSON", 2.0 + number)
    listed = {entry.name: entry for entry in journal.documents.open()}
    older = listed.pop(received_documents.OLDER)
    assert listed.keys() == {"day.xml", "6", "7", "8", "9"}, "a file lies where it is, and stays"
    assert (older.failures, older.state) == (6, DocumentState.SET_ASIDE)
    assert older.reason.startswith("6 older documents")
    assert [journal.documents.content(entry.seq) for entry in (older, listed["9"])] == [None, b"{9"]
    told = [event for event in journal.events.newest(100) if event["what"] == "document set aside"]
    assert len(told) == 5, "nor do their events fill the journal"
    journal.close()
    assert verify(tmp_path).damages == []


@pytest.mark.parametrize("given", [{"keep": True}, {"cursor": "7"}])
def test_a_document_nobody_else_has_is_kept_whatever_its_size_and_however_many_follow(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    monkeypatch.setattr(received_documents, "MOST_LISTED", 2)
    monkeypatch.setattr(documents, "MOST_KEPT", 10)
    for number in range(6):
        content = b"%d" % number * (LARGEST_KEPT + 1)
        document = attrs.evolve(Document.from_bytes(f"{number}", content), **given)
        journal.documents.set_aside(Reading(document, "feed"), "not JSON", 2.0 + number)
    listed = journal.documents.open()
    assert sorted(entry.name for entry in listed) == ["0", "1", "2", "3", "4", "5"]
    assert {entry.place for entry in listed} == {documents.IN_JOURNAL}
    for entry in listed:
        content_ = journal.documents.content(entry.seq)
        assert content_ is not None
        assert content_[:1] == entry.name.encode()


def test_a_file_that_could_not_be_read_is_the_same_row_once_it_can(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    unread = Reading(Document(name=path.name, sha256="", path=path), "folder")
    journal.documents.retry_later(unread, "permission denied", 5.0, due=9.0)
    journal.documents.retry_later(unread, "permission denied", 9.0, due=17.0)
    assert (only(journal).state, only(journal).failures, only(journal).due) == ("retry", 2, 17.0)
    path.write_bytes(b"x")
    read = Reading(Document.from_path(path), "folder")
    assert journal.documents.count_crash(read, "the process ended", 20.0) == 1
    assert only(journal).sha256 == read.document.sha256


def test_b21_what_its_source_has_set_aside_again_meanwhile_is_not_taken_for_put_back(
    journal: Journal, tmp_path: Path
) -> None:
    """Else it would count as not read yet for ever: its file is away again, and nobody is told."""
    reading = Reading(day(tmp_path / "day.xml", 1), "folder")
    journal.documents.set_aside(reading, "not XML", 5.0)
    asked_for = only(journal)
    journal.documents.set_aside(reading, "not XML", 6.0)
    journal.documents.put_back(asked_for, "inbox/day.xml", 6.1)
    assert only(journal).state == DocumentState.SET_ASIDE
    journal.documents.put_back(only(journal), "inbox/day.xml", 6.2)
    assert (only(journal).state, only(journal).place) == (DocumentState.RETRY, "inbox/day.xml")


def test_what_is_discarded_is_the_trouble_that_was_seen(journal: Journal, tmp_path: Path) -> None:
    """Another one that came between the look and the decision would have been put away unseen."""
    reading = Reading(day(tmp_path / "day.xml", 1), "folder")
    journal.documents.set_aside(reading, "not XML", 5.0)
    seen = only(journal)
    journal.documents.retry_later(reading, "permission denied", 6.0, due=16.0)
    with pytest.raises(JournalError, match=r"day\.xml is retry \(permission denied\) by now and was not discarded"):
        journal.documents.discard(seen, "not of a till", 6.1)
    assert only(journal).state == DocumentState.RETRY
    journal.documents.retry_later(reading, "permission denied", 16.0, due=26.0)  # the same trouble, once more
    journal.documents.discard(attrs.evolve(only(journal), last_at=6.0, failures=1), "not of a till", 17.0)
    assert only(journal).state == DocumentState.DISCARDED
    with pytest.raises(JournalError, match="is discarded"):
        journal.documents.discard(seen, "not of a till", 18.0)


def test_what_is_set_aside_meanwhile_is_not_taken_for_gone(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(day(tmp_path / "day.xml", 1), "folder")
    journal.documents.retry_later(reading, "permission denied", 5.0, due=15.0)
    seen = journal.documents.open()
    journal.documents.set_aside(reading, "not XML", 6.0)
    monkeypatch.setattr(journal.documents, "open", lambda: seen)
    journal.documents.close_unreported("folder", (), 7.0)
    assert only(journal).state == DocumentState.SET_ASIDE


def test_a_document_is_found_by_its_name_or_its_digest(machine: Machine, tmp_path: Path) -> None:
    accept(machine.line, day(tmp_path / "day.jsonl", 1))
    find = machine.line.journal.documents.find
    assert find("day.jsonl") == find(find("day.jsonl")[0].sha256[:12])
    with pytest.raises(UsageError, match="no document other"):
        find("other")


def test_only_documents_that_are_not_finished_are_looked_at_when_one_begins(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = plans(journal, lambda journal: journal.documents.count_open(), monkeypatch)
    assert all("documents_open" in plan or "TEMP" in plan for plan in asked), asked


def test_finished_documents_leave_with_the_receipts(machine: Machine, tmp_path: Path) -> None:
    for number in range(4):
        accept(machine.line, day(tmp_path / f"{number}.jsonl", 1))
    with pytest.raises(DocumentError):
        accept(machine.line, Document.from_bytes("bad", b"{"))
    accept(machine.line, day(tmp_path / "last.jsonl", 1))
    place: RetentionCursor | None = RetentionCursor()
    while place is not None:
        place = machine.line.journal.retention.step(place, 4e9, 4e9)
    assert [entry.name for entry in machine.line.journal.documents.newest(10)] == ["last.jsonl", "bad"]


def test_a_damaged_row_is_found_and_leaves(journal: Journal, tmp_path: Path) -> None:
    journal.documents.set_aside(Reading(Document.from_bytes("bad", b"{"), "ingest"), "not JSON", 5.0)
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as raw, raw:
        raw.execute("UPDATE documents SET state = 'x'")
    assert [damage.table for damage in verify(tmp_path).damages] == ["documents"]
    repair(tmp_path, 6.0)
    assert verify(tmp_path).damages == []

"""A source that fails backs off and stands in the journal; the log says it once; so is a document's trouble."""

from __future__ import annotations

import logging
import os
import threading
from email.message import Message
from pathlib import Path
from socket import gaierror
from ssl import SSLCertVerificationError
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.support.lines import line_on
from tests.support.waiting import until
from tillpost.errors import DocumentError, JournalFull
from tillpost.flow.intake.collected_source import CollectedSource
from tillpost.flow.intake.source_health import reason_of
from tillpost.flow.line import Line
from tillpost.flow.worker import Worker
from tillpost.journal import DocumentState, Reading, SourceState
from tillpost.model import (
    Delivered,
    Document,
    DocumentTrouble,
    MaybeSent,
    Misconfigured,
    NotSent,
    Refused,
    Throttled,
)


def collected(line: Line, accept: Any = lambda document: {}) -> CollectedSource:
    return CollectedSource(line, accept, threading.Event(), 1.0)


@pytest.mark.parametrize(
    "error",
    [
        OSError(404, "no such sale of anna@example.com"),
        OSError(2, "KEY-123", "https://api.example.com/sales?token=KEY-123"),
        HTTPError("https://api.example.com/sales?token=KEY-123", 403, "KEY-123", Message(), None),
        SSLCertVerificationError(1, "KEY-123"),
        FileNotFoundError(2, "No such file or directory", "https://api.example.com/sales?token=KEY-123"),
    ],
)
def test_the_text_of_a_library_s_own_error_of_the_system_is_not_told(error: OSError) -> None:
    try:
        raise error
    except OSError as raised:
        told = reason_of(raised)
    assert "anna" not in told
    assert "key-123" not in told.lower()


def test_what_the_system_says_is_told_with_its_file() -> None:
    assert reason_of(OSError(13, os.strerror(13), "/inbox")) == "/inbox: permission denied"
    assert reason_of(gaierror(-2, "Name or service not known")) == "name or service not known"


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (NotSent(reason="the server is away"), SourceState.FAILING),
        (Misconfigured(reason="the key is refused"), SourceState.MISCONFIGURED),
        (OSError(13, "Permission denied", "/inbox"), SourceState.FAILING),
        (RuntimeError("an e-mail address"), SourceState.FAILING),
    ],
)
def test_b2_a_failure_stands_in_the_journal_with_growing_waits_until_it_is_over(
    tmp_path: Path, failure: Any, state: SourceState, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = [failure] * 12 + [0]

    def collect(**_: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with line_on(tmp_path, collect_documents=collect) as line, caplog.at_level(logging.INFO, "tillpost.flow"):
        source = collected(line)
        waits = [source.run_round() for _ in range(12)]
        (status,) = line.journal.sources.all()
        assert (status.state, status.failures) == (state, 12)
        assert status.due is not None
        assert 0.8 <= waits[0] <= 1.2
        assert 48.0 <= waits[-1] <= 72.0, "a minute at most"
        assert len(caplog.records) == 1, "once, not each round"
        message = caplog.records[0].getMessage()
        assert ".py" not in message or isinstance(failure, RuntimeError), "a plugin's fault names its line"
        assert "e-mail" not in caplog.text
        assert source.run_round() == 1.0
        assert [each.state for each in line.journal.sources.all()] == [SourceState.WORKING]
        told = [(event["step"], event["what"]) for event in line.journal.events.newest(10)]
        assert told == [("source", state), ("source", "working")]


def test_a_source_that_is_asked_to_wait_waits_so_long(tmp_path: Path) -> None:
    answer = Throttled(reason="too many requests", retry_after=333.0)
    with line_on(tmp_path, collect_documents=lambda: answer) as line:
        assert collected(line).run_round() == 333.0


@pytest.mark.parametrize("kind", [NotSent, Throttled])
@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [(-5.0, 0.8, 1.2), (0, 0.8, 1.2), (True, 0.8, 1.2), ("60", 0.8, 1.2), (float("nan"), 0.8, 1.2),
     (float("inf"), 0.8, 1.2), (7, 7, 7), (1e12, 86400, 86400)],
)  # fmt: skip
def test_b2_a_wait_that_makes_no_sense_ends_no_thread(
    tmp_path: Path, kind: Any, asked: Any, least: float, most: float
) -> None:
    with line_on(tmp_path, collect_documents=lambda: _asking(kind, asked)) as line:
        assert least <= collected(line).run_round() <= most
        (status,) = line.journal.sources.all()
        assert status.due is not None
        assert status.due < line.clock.time() + 2 * 86400


def _asking(kind: Any, wait: Any) -> Any:
    """As a plugin may build it, whose types nobody has checked."""
    failure = kind(reason="too many")
    object.__setattr__(failure, "retry_after", wait)
    return failure


@pytest.mark.parametrize(
    "answer", [MaybeSent(reason="x"), Refused(reason="x"), Delivered(), None, "3", 2.0, True, [], {"accepted": 1}]
)
def test_b2_any_other_answer_is_the_plugins_fault_and_stands_in_the_journal(tmp_path: Path, answer: Any) -> None:
    with line_on(tmp_path, collect_documents=lambda: answer) as line:
        source = collected(line)
        assert 0.8 <= source.run_round() <= 1.2
        (status,) = line.journal.sources.all()
        assert status.state is SourceState.FAILING
        assert "collect_documents gave" in status.reason
        assert 1.6 <= source.run_round() <= 2.4


@pytest.mark.parametrize("answer", [None, NotSent(reason="x"), Throttled(reason="x"), Misconfigured(reason="x"), 7])
def test_b2_a_serving_source_that_ends_by_itself_stands_in_the_journal(tmp_path: Path, answer: Any) -> None:
    with line_on(tmp_path, serve_documents=lambda stopping, ready: answer) as line:
        worker = Worker(line)
        worker.start()
        until(lambda: bool(line.journal.sources.all()))
        worker.stop()
        assert worker.join(30)
        (status,) = line.journal.sources.all()
        assert status.state is not SourceState.WORKING
        assert status.reason == {None: "it has ended by itself, and nobody can reach it"}.get(
            answer, getattr(answer, "reason", status.reason)
        )


def test_a_full_disk_is_not_the_sources_fault(tmp_path: Path) -> None:
    def full(**_: object) -> int:
        raise JournalFull("no room")

    def collect(accept: Any) -> int:
        accept(Document.from_bytes("a", b"x"))
        return 1

    with line_on(tmp_path, collect_documents=collect) as line:
        assert collected(line, lambda document: full()).run_round() == 1.0
        assert line.journal.sources.all() == []


def test_a_documents_trouble_is_told_once_and_is_over_when_it_is_not_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    troubles = [DocumentTrouble(name="day.xml", reason="permission denied", place="/in/day.xml", retry_at=9.0)]

    def collect(report: Any) -> int:
        for trouble in troubles:
            report(trouble)
        return 0

    with line_on(tmp_path, collect_documents=collect) as line:
        source = collected(line)
        for _ in range(3):
            source.run_round()
        assert source.is_empty, "it waits for nothing that it could read"
        (entry,) = line.journal.documents.open()
        assert (entry.name, entry.state, entry.due, entry.failures) == ("day.xml", DocumentState.RETRY, 9.0, 1)
        assert [record.getMessage() for record in caplog.records] == ["pipeline shop: day.xml: permission denied"]
        troubles.clear()
        source.run_round()
        assert line.journal.documents.open() == []
        assert line.journal.documents.newest(1)[0].state == DocumentState.GONE


def test_a_trouble_that_a_person_discarded_is_not_told_again_and_another_is(tmp_path: Path) -> None:
    troubles = [DocumentTrouble(name="notes", reason="is a directory", retry_at=9.0)]

    def collect(report: Any) -> int:
        for trouble in troubles:
            report(trouble)
        return 0

    with line_on(tmp_path, collect_documents=collect) as line:
        collected(line).run_round()
        (entry,) = line.journal.documents.open()
        line.journal.documents.discard(entry, "ours", 5.0)
        collected(line).run_round()
        assert line.journal.documents.open() == []
        troubles[0] = DocumentTrouble(name="notes", reason="permission denied", retry_at=9.0)
        collected(line).run_round()
        assert [each.reason for each in line.journal.documents.open()] == ["permission denied"]


def test_what_is_set_aside_is_a_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def bad(document: Document) -> dict[str, int]:
        raise DocumentError("is bad", document.name)

    def collect(accept: Any) -> int:
        with pytest.raises(DocumentError):
            accept(Document.from_bytes("day.xml", b"x"))
        return 1

    with line_on(tmp_path, collect_documents=collect) as line:
        collected(line, bad).run_round()
    assert "day.xml: set aside: day.xml: is bad" in caplog.text
    assert "tillpost documents retry" in caplog.text


def test_a_serving_source_that_cannot_serve_stands_in_the_journal(tmp_path: Path) -> None:
    free: list[bool] = []

    def serve(stopping: Any, ready: Any) -> NotSent | None:
        if not free:
            return NotSent(reason="the address is taken")
        ready()
        stopping.wait()
        return None

    with line_on(tmp_path, serve_documents=serve) as line:
        worker = Worker(line)
        worker.start()
        until(lambda: [each.reason for each in line.journal.sources.all()] == ["the address is taken"])
        free.append(True)
        until(lambda: [each.state for each in line.journal.sources.all()] == [SourceState.WORKING])
        worker.stop()
        assert worker.join(30)


def test_a_document_whose_content_was_read_has_one_row_and_its_failures_are_counted_once(tmp_path: Path) -> None:
    document = Document.from_path(_written(tmp_path / "day.xml"))
    trouble = DocumentTrouble(
        name="day.xml", reason="a bug", place=str(document.path), sha256=document.sha256, retry_at=9
    )

    def collect(report: Any) -> int:
        report(trouble)
        return 0

    with line_on(tmp_path / "state", collect_documents=collect) as line:
        line.journal.documents.retry_later(Reading(document, "memory"), "a bug", 5.0)
        collected(line).run_round()
        (entry,) = line.journal.documents.open()
        assert (entry.sha256, entry.due, entry.failures) == (document.sha256, 9.0, 1)


def _written(path: Path) -> Path:
    path.write_bytes(b"x")
    return path


def test_a_source_that_is_away_at_the_start_is_asked_later_what_it_has_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = [True]
    document = Document.from_bytes("lost.xml", b"x")

    def taken(since: float) -> Any:
        if away[0]:
            raise OSError(113, "No route to host")
        return (document,)

    def collect() -> Any:
        return NotSent(reason="the server is away") if away[0] else 0

    with line_on(tmp_path, collect_documents=collect, find_taken=taken) as line:
        trouble = DocumentTrouble(name="day.xml", reason="permission denied", retry_at=9.0)
        line.journal.documents.report(trouble, "memory", 1.0)
        source = collected(line)
        source.run_round()
        assert "compared" not in caplog.text
        away[0] = False
        source.run_round()
        assert "lost.xml" in caplog.text


def test_a_source_that_works_and_cannot_say_what_it_has_taken_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def taken(since: float) -> Any:
        raise RuntimeError("an e-mail address")

    with line_on(tmp_path, collect_documents=lambda: 0, find_taken=taken) as line:
        trouble = DocumentTrouble(name="day.xml", reason="permission denied", retry_at=9.0)
        line.journal.documents.report(trouble, "memory", 1.0)
        source = collected(line)
        for _ in range(3):
            source.run_round()
        assert caplog.text.count("the source's documents are not compared with the journal") == 1
        assert "e-mail" not in caplog.text

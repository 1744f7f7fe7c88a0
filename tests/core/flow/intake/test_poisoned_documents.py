"""B11, K7: a document whose adapter fails, or that is in hand when the process ends, is set aside; the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.lines import line_on
from tests.support.receipts import found, receipt
from tillpost.errors import DocumentError, InvalidValue, PluginError
from tillpost.flow.intake.accept import GROUP, MOST_FAILURES, accept
from tillpost.flow.intake.group_commit import GroupCommit
from tillpost.flow.intake.in_hand import DocumentsInHand
from tillpost.flow.line import Line
from tillpost.flow.trials import Verdict
from tillpost.journal import DocumentState, State
from tillpost.model import Document, Found

GOOD, BAD = Document.from_bytes("good", b"good"), Document.from_bytes("bad", b"bad")
ERRORS: list[BaseException] = [
    SystemExit(), KeyboardInterrupt(), asyncio.CancelledError(), MemoryError(), KeyError(), GeneratorExit(),
    InvalidValue("wrong"),
]  # fmt: skip


def parse_until(count: int, end: Callable[[], Any]) -> Callable[..., Iterator[Found]]:
    """An adapter that reads so many records of the bad document before its end comes."""

    def parse(document: Document) -> Iterator[Found]:
        if document.content == b"good":
            yield found(number="good")
            return
        for number in range(count):
            yield found(number=str(number))
        end()

    return parse


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("count", [0, 3, GROUP, GROUP + 3])
def test_b11_a_document_whose_adapter_fails_three_times_is_set_aside_with_what_stands_before_it_accepted(
    tmp_path: Path, count: int, error: BaseException
) -> None:
    with line_on(tmp_path, parse_receipts=parse_until(count, lambda: _raise(error))) as line:
        for _ in range(MOST_FAILURES - 1):
            with pytest.raises(PluginError, match="plugin 'memory'"):
                accept(line, BAD)
        with pytest.raises(DocumentError, match=f"has failed {MOST_FAILURES} times") as caught:
            accept(line, BAD)
        assert accept(line, GOOD).accepted == 1
        assert sum(caught.value.counts.values()) == count, "the records before the fault"
        assert line.journal.receipts.counts()[State.ACCEPTED] == count + 1
        (entry,) = line.journal.documents.open()
        assert (entry.state, entry.failures, entry.records) == (DocumentState.SET_ASIDE, MOST_FAILURES, count)
        assert line.journal.documents.content(entry.seq) == b"bad"


def test_b11_of_documents_committed_together_only_the_one_that_fails_fails(tmp_path: Path) -> None:
    with line_on(tmp_path, parse_receipts=parse_until(3, lambda: _raise(SystemExit()))) as line:
        commits = GroupCommit(line, "ingest")
        for _ in range(MOST_FAILURES):
            with pytest.raises((PluginError, DocumentError)):
                commits.accept(BAD)
            commits.accept(GOOD)
        assert line.journal.receipts.counts()[State.ACCEPTED] == 4


class _Died(BaseException):
    """The process ends."""


@attrs.define
class _Trials:
    """As a process that reads the document shows it."""

    verdict: Verdict
    jobs: list[Mapping[str, Any]] = attrs.field(factory=list)

    def run(self, job: Mapping[str, Any]) -> Verdict:
        self.jobs.append(job)
        return self.verdict


def _ended_while_reading(line: Line, times: int, document: Document = BAD) -> Line:
    """The process ends so many times in the middle of the document; the line of the next one."""
    for _ in range(times):
        line = attrs.evolve(line, hooks=attrs.evolve(line.hooks, lets_through=(_Died,)))
        with pytest.raises(_Died):
            accept(line, document)
        assert line.journal.crash_marks.beside("accept_in_hand").marked()
        line = _next_process(line)
    return line


def _next_process(line: Line) -> Line:
    return attrs.evolve(line, in_hand=DocumentsInHand(line.journal.crash_marks.beside))


@pytest.mark.parametrize("count", [0, 3, GROUP + 3])
def test_b11_a_document_in_hand_at_two_ends_that_ends_a_trial_too_is_set_aside(tmp_path: Path, count: int) -> None:
    with line_on(tmp_path, parse_receipts=parse_until(count, lambda: _raise(_Died()))) as line:
        trials = _Trials(Verdict(died=True, how="signal SIGSEGV", records=count))
        line = _ended_while_reading(attrs.evolve(line, trials=trials), 2)
        with pytest.raises(DocumentError, match="signal SIGSEGV") as caught:
            accept(line, BAD)
        assert len(trials.jobs) == 2
        assert sum(caught.value.counts.values()) == count
        assert line.journal.receipts.counts()[State.ACCEPTED] == count
        assert accept(line, GOOD).accepted == 1
        (entry,) = line.journal.documents.open()
        assert (entry.state, entry.crashes) == (DocumentState.SET_ASIDE, 2)
        with pytest.raises(DocumentError, match="signal SIGSEGV"):
            accept(line, BAD)  # handed over again: it is not read where it would end the process


def test_b11_b27_a_document_in_hand_at_ends_that_were_not_its_fault_is_read(tmp_path: Path) -> None:
    ends = [_Died() for _ in range(6)]

    def end() -> None:
        if ends:
            raise ends.pop()

    with line_on(tmp_path, parse_receipts=parse_until(3, end)) as line:
        line = _ended_while_reading(attrs.evolve(line, trials=_Trials(Verdict())), 6)
        assert accept(line, BAD).records() == 3
        assert line.journal.documents.open() == []


def test_an_end_with_nothing_in_hand_counts_against_no_document(tmp_path: Path) -> None:
    with line_on(tmp_path, parse_receipts=parse_until(3, lambda: None)) as line:
        for _ in range(5):
            line = _next_process(line)
            accept(line, BAD)
        (entry,) = line.journal.documents.newest(1, name="bad")
        assert entry.crashes == 0


def test_k6_a_record_that_cannot_be_stored_is_held_and_the_others_of_its_document_are_accepted(tmp_path: Path) -> None:
    """A lone surrogate cannot be written as UTF-8."""
    poisoned = Found(receipt=attrs.evolve(receipt(number="7"), till="\ud800"), raw=b"the record")

    def parse(document: Document) -> Iterator[Found]:
        for number in range(20):
            yield poisoned if number == 7 else found(number=str(number))

    with line_on(tmp_path, parse_receipts=parse) as line:
        counts = accept(line, BAD)
        assert (counts.accepted, counts.held) == (19, 1)
        (held,) = line.journal.receipts.find({"state": State.HELD})
        assert held.reason.startswith("it cannot be stored: receipt")
        assert line.journal.bodies.raw(held.seq) == b"the record"

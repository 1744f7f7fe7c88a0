"""The worker's threads: no two have the same receipt, and one that dies is started again and told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.destination import MOMENT, FlakyDestination, hook_calls
from tests.support.lines import Ahead, line_on, make_line
from tests.support.receipts import DOCUMENT, found
from tests.support.waiting import until
from tillpost.flow.breaker import after_misconfiguration
from tillpost.flow.heartbeat import DEATHS_WITHIN, MOST_DEATHS, ThreadBeat
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, TransferPolicy
from tillpost.flow.worker import UPKEEP, Worker, run_steps
from tillpost.journal import Accepted, Journal, State
from tillpost.model import Delivered, Document, Identified, Misconfigured

COUNT = 150


def test_a_sender_and_the_file_writer_never_have_the_same_receipt(tmp_path: Path) -> None:
    """Found in the demo: a claim released twice let two threads settle one receipt, and the pipeline stopped."""
    journal = Journal(tmp_path)
    journal.receipts.accept([found(number=str(n)) for n in range(COUNT)], DOCUMENT, None, time.time(), Accepted())
    destination = FlakyDestination()
    retry = RetryPolicy(attempts=3, wait_initial=MOMENT, wait_max=MOMENT, confirm_after=MOMENT)
    fallback = FallbackPolicy(after=timedelta(hours=1), every=MOMENT)
    line = make_line(
        journal, hook_calls(destination), retry=retry, fallback=fallback, transfer=TransferPolicy(), workers=8
    )
    worker = Worker(line)
    worker.start()
    end = time.monotonic() + 60
    while worker.fault is None and time.monotonic() < end:
        counts = journal.receipts.counts()
        if counts[State.DELIVERED] + counts[State.WRITTEN] == COUNT:
            break
        time.sleep(0.05)
    worker.stop()
    assert worker.join(20)
    counts = journal.receipts.counts()
    journal.close()
    assert worker.fault is None
    assert destination.clashes == []
    assert counts[State.DELIVERED] + counts[State.WRITTEN] == COUNT


class _Dying:
    """A document callback, and so the source's thread, that dies so many times."""

    def __init__(self, times: int, error: BaseException) -> None:
        self.left, self.error = times, error

    def __call__(self, document: Document, counts: Accepted) -> None:
        if self.left:
            self.left -= 1
            raise self.error


@contextmanager
def _working(folder: Path, dying: _Dying) -> Iterator[Worker]:
    def collect(accept: Callable[[Document], Any]) -> int:
        accept(DOCUMENT)
        return 1

    with line_on(
        folder,
        collect_documents=collect,
        parse_receipts=lambda document: [found(number="1")],
        resolve_contact=lambda contact: Identified(contact_id="guid"),
    ) as line:
        worker = Worker(line, dying)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()
            assert worker.join(30)


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), asyncio.CancelledError(), MemoryError()])
def test_k7_a_thread_that_dies_is_started_again_and_told(
    tmp_path: Path, error: BaseException, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tillpost.flow.worker._ERROR_PAUSE", 0.01)
    with _working(tmp_path, _Dying(2, error)) as worker:
        line = worker.line
        until(lambda: line.heartbeat.restarts() == 2 and line.journal.receipts.counts()[State.DELIVERED] == 1)
        assert worker.fault is None
        assert [type(error).__name__ in death.reason for death in line.heartbeat.deaths()] == [True, True]
        told = [event for event in line.journal.events.newest(100) if event["step"] == "thread"]
        assert [event["detail"]["thread"] for event in told] == ["shop-source-4", "shop-source-4"]
    assert caplog.text.count("thread shop-source-4 died and is started again") == 2


def test_k7_a_thread_that_dies_again_and_again_stops_its_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tillpost.flow.worker._ERROR_PAUSE", 0.01)
    with _working(tmp_path, _Dying(1000, SystemExit())) as worker:
        until(lambda: worker.fault is not None)
        assert len(worker.line.heartbeat.deaths()) == MOST_DEATHS
        assert worker.is_stopping()


def test_deaths_far_apart_never_stop_a_pipeline(tmp_path: Path) -> None:
    clock = Ahead()
    beat = ThreadBeat("t", clock)
    for _ in range(3 * MOST_DEATHS):
        assert beat.record_death("x")
        clock.ahead += DEATHS_WITHIN / 2


def test_a_probe_that_raises_is_no_answer_and_is_asked_again_later(tmp_path: Path) -> None:
    """It was asked, and its error written to the log, each second."""
    asked = 0

    def probe() -> Delivered:
        nonlocal asked
        asked += 1
        raise ZeroDivisionError

    with line_on(tmp_path, probe=probe) as line:
        line.breaker.apply(
            lambda destination: after_misconfiguration(
                destination, Misconfigured(reason="401"), line.clock.time() - 1000.0, line.retry, line.random
            )
        )
        before = line.clock.time()
        assert run_steps(line, UPKEEP) == []
        assert asked == 1
        assert "ZeroDivisionError" in line.breaker.destination.reason
        assert line.breaker.destination.probe_due > before
        assert not line.breaker.allows_requests()


def test_m12_a_plugin_that_cannot_name_its_tenant_stops_its_own_pipeline_and_no_other(tmp_path: Path) -> None:
    """It would end the process at each start; its pipeline has the fault, and is started again later."""

    def identity() -> Any:
        raise KeyError("anna@example.se")

    with line_on(tmp_path, identity=identity) as line:
        worker = Worker(line)
        worker.start()
        assert "identity raised KeyError at " in str(worker.fault)
        assert "anna" not in str(worker.fault)
        assert worker.is_stopping()
        assert worker.join(5.0)

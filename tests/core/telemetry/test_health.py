"""Alive and ready, asked of real lines: threads that work, hang, end, and journals that cannot be written."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest

from tests.support.engine import store_of
from tests.support.lines import Ahead, line_on
from tests.support.receipts import DOCUMENT, found
from tests.support.waiting import until
from tillpost.clock import SystemClock
from tillpost.errors import DiskFailed
from tillpost.flow.heartbeat import STUCK
from tillpost.flow.rate_limit.pace import Pace
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, State
from tillpost.model import Delivered, Outcome, Payload
from tillpost.plugin import Secret
from tillpost.telemetry.health import alive, ready

NOW = 1_800_000_000.0


def test_a_line_at_work_is_alive_and_ready(tmp_path: Path) -> None:
    with line_on(tmp_path, collect_documents=lambda accept: 0) as line:
        assert alive([line], NOW)[0]
        assert not ready([line], NOW)[0], "nothing has been started"
        worker = Worker(line)
        worker.start()
        until(lambda: ready([line], time.time())[0])
        well, told = alive([line], NOW)
        assert well
        assert told["pipelines"]["shop"] == {"alive": True, "fault": "", "ended": [], "hanging": []}
        assert ready([line], NOW)[1]["pipelines"]["shop"] == {"ready": True, "reason": "", "destination": "online"}
        worker.stop()
        assert not ready([line], NOW)[0], "it stops"
        assert worker.join(30)
        assert alive([line], NOW)[0], "that threads ended is no fault when they were told to"
        again = Worker(line)
        again.start()
        until(lambda: ready([line], time.time())[0])
        again.stop()
        assert again.join(30)


def test_no_pipeline_at_all_is_not_ready() -> None:
    assert alive([], NOW)[0]
    assert not ready([], NOW)[0]


@pytest.mark.parametrize("hook", ["deliver", "collect_documents", "probe"])
def test_a_plugin_that_never_returns_makes_the_line_hang(tmp_path: Path, hook: str) -> None:
    clock, called, let_go = Ahead(), threading.Event(), threading.Event()

    def hangs(**_: object) -> object:
        called.set()
        let_go.wait(120)
        return 0 if hook == "collect_documents" else Delivered(status=202)

    hooks: dict[str, Any] = {"collect_documents": lambda accept: 0, hook: hangs}
    with line_on(tmp_path, clock=clock, **hooks) as line:
        line.journal.receipts.accept([found()], DOCUMENT, None, time.time(), Accepted())
        if hook == "probe":
            line.breaker.apply(lambda destination: attrs.evolve(destination, state="degraded", probe_due=0.0))
        worker = Worker(line)
        worker.start()
        assert called.wait(60)
        assert alive([line], NOW)[0], "a call may take its time"
        clock.ahead = STUCK + 1
        until(lambda: not alive([line], NOW)[0])
        hanging = alive([line], NOW)[1]["pipelines"]["shop"]["hanging"]
        role = {"deliver": "deliver", "collect_documents": "source", "probe": "maintain"}[hook]
        until(lambda: [role in name for name in alive([line], NOW)[1]["pipelines"]["shop"]["hanging"]] == [True])
        assert hanging
        assert not ready([line], NOW)[0]
        let_go.set()
        until(lambda: alive([line], NOW)[0])
        worker.stop()
        assert worker.join(30)


def test_idle_threads_do_not_hang_however_long(tmp_path: Path) -> None:
    clock = Ahead()
    with line_on(tmp_path, clock=clock, serve_documents=lambda accept, stopping: stopping.wait()) as line:
        worker = Worker(line)
        worker.start()
        until(lambda: ready([line], NOW)[0])
        clock.ahead = 100 * STUCK
        until(lambda: alive([line], NOW)[0])
        worker.stop()
        assert worker.join(30)


def test_a_wait_for_the_rate_budget_is_no_hang(tmp_path: Path) -> None:
    clock, waits, let_go = Ahead(), threading.Event(), threading.Event()

    class Slow:
        @contextmanager
        def request(self) -> Iterator[None]:
            waits.set()
            let_go.wait(120)
            yield

        def slow(self, seconds: float) -> None: ...

    pace = Pace(lambda key, rate: Slow())
    budget = pace.budget(Secret("k"), 10.0)

    def deliver(payload: Payload) -> Outcome:
        with budget.request():
            return Delivered(status=202)

    with line_on(tmp_path, deliver, clock=clock, pace=pace, collect_documents=lambda accept: 0) as line:
        line.journal.receipts.accept([found()], DOCUMENT, None, time.time(), Accepted())
        worker = Worker(line)
        worker.start()
        assert waits.wait(60)
        clock.ahead = STUCK + 1
        until(lambda: alive([line], NOW)[0])
        let_go.set()
        until(lambda: line.journal.receipts.counts()[State.DELIVERED] == 1)
        assert pace.requests == 1
        worker.stop()
        assert worker.join(30)


def test_a_pipeline_that_stopped_by_itself_says_why(tmp_path: Path) -> None:
    def fails(**_: object) -> object:
        raise DiskFailed("the disk failed")

    with line_on(tmp_path, collect_documents=fails) as line:
        worker = Worker(line)
        worker.start()
        until(lambda: not alive([line], NOW)[0])
        assert "the disk failed" in alive([line], NOW)[1]["pipelines"]["shop"]["fault"]
        assert not ready([line], NOW)[0]
        assert worker.join(30)


def test_a_thread_that_ended_untold_is_told(tmp_path: Path) -> None:
    """No job ends a thread without a word any more; an interpreter that is shut down still might."""
    with line_on(tmp_path, collect_documents=lambda accept: 0) as line:
        beat = line.heartbeat.add_thread("shop-source-0", line.clock)
        beat.thread = threading.Thread(target=lambda: None)
        beat.thread.start()
        beat.thread.join()
        told = alive([line], NOW)
        assert not told[0]
        assert told[1]["pipelines"]["shop"]["ended"] == ["shop-source-0"]


def test_a_disk_that_is_almost_full_is_not_ready_and_alive(tmp_path: Path) -> None:
    with line_on(tmp_path, collect_documents=lambda accept: 0) as line:
        assert line.source is not None
        line = attrs.evolve(line, source=attrs.evolve(line.source, room=1 << 60))
        worker = Worker(line)
        worker.start()
        well, told = ready([line], NOW)
        assert not well
        assert "almost full" in told["pipelines"]["shop"]["reason"]
        assert alive([line], NOW)[0]
        worker.stop()
        assert worker.join(30)


def test_a_journal_that_another_process_locks_is_not_ready(tmp_path: Path) -> None:
    with line_on(tmp_path, collect_documents=lambda accept: 0) as line:
        store_of(line.journal)._file.writer.set_busy_timeout(10)
        line.heartbeat.add_thread("shop-0", SystemClock())
        assert ready([line], NOW)[0]
        other = apsw.Connection(str(tmp_path / "journal.db"))
        other.execute("BEGIN IMMEDIATE")
        well, told = ready([line], NOW)
        other.execute("ROLLBACK")
        other.close()
        assert not well
        assert "nothing can be committed" in told["pipelines"]["shop"]["reason"]
        assert ready([line], NOW)[0]

"""Serving: documents accepted at the same time are committed together, each with its own answer; limits hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.destination import FlakyDestination, hook_calls
from tests.support.engine import store_of
from tests.support.lines import make_line
from tests.support.receipts import found
from tillpost.errors import Busy, DiskFailed, DocumentError, JournalDamaged, KeyTaken, NotCommitted
from tillpost.flow.intake.served_source import ServedSource
from tillpost.flow.limits import RetryPolicy, SourcePolicy
from tillpost.flow.line import Line
from tillpost.flow.worker import Worker
from tillpost.journal import Journal, State
from tillpost.model import Document, Found

QUICK = RetryPolicy(attempts=9, wait_initial=timedelta(milliseconds=1), wait_max=timedelta(milliseconds=1))


def parse(document: Document) -> Iterator[Found]:
    """Each word is the number of a receipt; `bad` breaks the document, `bug` is the adapter's fault."""
    for word in (document.content or b"").decode().split():
        if word == "bad":
            raise DocumentError("is bad", f"document {document.name}")
        if word == "bug":
            raise KeyError(word)
        yield found(number=word)


@attrs.define
class Pipeline:
    line: Line
    served: ServedSource
    stopping: threading.Event

    def accept(self, content: str, key: str = "") -> dict[str, int]:
        return self.served(Document.from_bytes("d", content.encode(), key))

    def numbers(self) -> list[str]:
        return [entry.number for entry in self.line.journal.receipts.find({})]


def pipeline(folder: Path, policy: SourcePolicy | None = None, **hooks: Any) -> Pipeline:
    asked = hook_calls(FlakyDestination())
    callers = dict(asked.callers) | {"parse_receipts": [("words", lambda document: parse(document))]}
    callers |= {name: [("source", hook)] for name, hook in hooks.items()}
    policy = policy or SourcePolicy(room=0)
    line = make_line(Journal(folder), attrs.evolve(asked, callers=callers), source=policy, retry=QUICK)
    stopping = threading.Event()
    return Pipeline(line, ServedSource(line, policy, stopping), stopping)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Pipeline]:
    made = pipeline(tmp_path)
    yield made
    made.line.journal.close()


def all_at_once(shop: Pipeline, contents: list[str], during: Callable[[], None] = lambda: None) -> list[Any]:
    """The others arrive while the first is being committed, so they are joined. The answer or error of each."""
    journal = shop.line.journal.receipts
    commit, entered, accept_rest = journal.accept_groups, threading.Event(), threading.Event()

    def held(*given: Any) -> None:
        if not entered.is_set():
            entered.set()
            assert accept_rest.wait(30)
        commit(*given)

    def one(content: str) -> Any:
        try:
            return shop.accept(content)
        except Exception as error:  # noqa: BLE001 - judged by the test
            return error

    journal.accept_groups = held  # type: ignore[method-assign, assignment]
    with ThreadPoolExecutor(len(contents)) as pool:
        first = pool.submit(one, contents[0])
        assert entered.wait(30)
        rest = [pool.submit(one, content) for content in contents[1:]]
        end = time.monotonic() + 30
        while len(shop.served._group_commit._waiting) < len(rest):
            assert time.monotonic() < end
            time.sleep(0.01)
        during()
        accept_rest.set()
        got = [each.result(30) for each in (first, *rest)]
    journal.accept_groups = commit  # type: ignore[method-assign]
    return got


def test_what_waits_for_a_commit_is_in_the_next_one(shop: Pipeline) -> None:
    sizes: list[int] = []
    commit = shop.line.journal.receipts.accept_groups

    def counted(groups: Any, *rest: Any) -> None:
        sizes.append(len(groups))
        commit(groups, *rest)

    shop.line.journal.receipts.accept_groups = counted  # type: ignore[method-assign, assignment]
    got = all_at_once(shop, [str(number) for number in range(20)])
    assert [each["accepted"] for each in got] == [1] * 20
    assert sizes == [1, 19]
    assert sorted(map(int, shop.numbers())) == list(range(20))


def test_the_same_receipt_in_one_commit_is_accepted_once(shop: Pipeline) -> None:
    got = all_at_once(shop, ["0", "1", "1", "1 2"])
    assert sum(each["accepted"] for each in got) == 3
    assert sum(each["duplicates"] for each in got) == 2
    assert sorted(shop.numbers()) == ["0", "1", "2"]


def test_a_bad_document_spoils_nothing_of_its_neighbours(shop: Pipeline) -> None:
    got = all_at_once(shop, ["0", "1", "2 3 bad", "bug", "4"])
    assert (got[0]["accepted"], got[1]["accepted"], got[4]["accepted"]) == (1, 1, 1)
    assert isinstance(got[2], DocumentError)
    assert got[2].counts["accepted"] == 2
    assert isinstance(got[3], Exception)
    assert sorted(shop.numbers()) == ["0", "1", "2", "3", "4"]


def test_what_fails_for_one_of_a_group_is_tried_one_by_one(shop: Pipeline) -> None:
    """A row that cannot be written, for a reason of its own, is held; the others of its group are accepted."""
    commit = store_of(shop.line.journal).write

    def write(work: Any) -> Any:
        def checked(connection: Any) -> Any:
            done = work(connection)
            if connection.execute("SELECT count(*) FROM receipts WHERE number = '13'").get:
                raise ZeroDivisionError
            return done

        return commit(checked)

    store_of(shop.line.journal).write = write  # type: ignore[method-assign]
    got = all_at_once(shop, ["0", "1", "13", "2"])
    assert [(each["accepted"], each["held"]) for each in got] == [(1, 0), (1, 0), (0, 1), (1, 0)]
    assert sorted(shop.numbers()) == ["", "0", "1", "2"]


def test_a_failed_commit_is_raised_to_every_thread_in_it_and_the_next_goes_on(shop: Pipeline) -> None:
    commit = store_of(shop.line.journal).write

    def fail(work: Any) -> Any:
        raise NotCommitted("no room")

    def break_disk() -> None:
        store_of(shop.line.journal).write = fail  # type: ignore[method-assign]

    got = all_at_once(shop, ["0", "1", "2"], break_disk)
    assert all(isinstance(each, NotCommitted) for each in got)
    store_of(shop.line.journal).write = commit  # type: ignore[method-assign]
    assert shop.accept("1")["accepted"] == 1
    assert shop.served.is_idle()


def test_a_document_of_many_groups_is_read_on_by_its_own_thread(shop: Pipeline) -> None:
    many = " ".join(str(number) for number in range(1000, 1350))
    got = all_at_once(shop, ["0", many, "1"])
    assert [each["accepted"] for each in got] == [1, 350, 1]
    assert len(shop.numbers()) == 352


def test_many_threads_lose_and_double_nothing(shop: Pipeline) -> None:
    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(shop.accept, [f"{number} {number + 1}" for number in range(300)]))
    assert sum(each["accepted"] for each in got) == 301
    assert sorted(map(int, shop.numbers())) == list(range(301))
    assert shop.served.is_idle()


def test_the_backlog_is_counted_again_when_it_has_shrunk(tmp_path: Path) -> None:
    shop = pipeline(tmp_path, SourcePolicy(backlog=2, room=0))
    assert shop.accept("1 2")["accepted"] == 2
    with pytest.raises(Busy, match="backlog"):
        shop.accept("3")
    store_of(shop.line.journal).write(lambda c: c.execute("UPDATE receipts SET state = 'delivered'"))
    end = time.monotonic() + 30
    while True:
        try:
            assert shop.accept("3")["accepted"] == 1
            break
        except Busy:
            assert time.monotonic() < end
            time.sleep(0.1)
    shop.line.journal.close()


def test_what_was_answered_before_is_answered_near_a_limit_too(tmp_path: Path) -> None:
    shop = pipeline(tmp_path, SourcePolicy(backlog=1, room=0))
    first = shop.accept("1", "a-key")
    with pytest.raises(Busy):
        shop.accept("2", "b-key")
    assert shop.accept("1", "a-key") == first
    with pytest.raises(KeyTaken):
        shop.accept("2", "a-key")
    shop.line.journal.close()


@pytest.mark.parametrize("fault", [DiskFailed("gone"), JournalDamaged("a row", Path("/state"))])
def test_a_journal_that_promises_nothing_stops_the_pipeline(tmp_path: Path, fault: Exception) -> None:
    raised: list[BaseException] = []

    def serve_documents(accept: Callable[[Document], Any], stopping: threading.Event, ready: Any) -> None:
        try:
            accept(Document.from_bytes("d", b"1"))
        except BaseException as error:  # noqa: BLE001 - judged by the test
            raised.append(error)
        stopping.wait()

    def fail(work: Any) -> Any:
        raise fault

    shop = pipeline(tmp_path, serve_documents=serve_documents)
    store_of(shop.line.journal).write = fail  # type: ignore[method-assign]
    worker = Worker(shop.line)
    job = worker._serve, shop.line.heartbeat.add_thread("serve", shop.line.clock)
    worker._threads.append(thread := threading.Thread(target=worker._run_thread, args=job))
    thread.start()
    assert worker.join(30)
    assert raised == [fault]
    assert worker.fault is fault
    shop.line.journal.close()


def test_a_serving_source_is_called_again_after_an_error_of_the_system(tmp_path: Path) -> None:
    calls: list[int] = []
    ended = threading.Event()

    def serve_documents(accept: Callable[[Document], Any], stopping: threading.Event, ready: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(98, "Address already in use")
        accept(Document.from_bytes("d", b"1"))
        stopping.wait()
        ended.set()

    shop = pipeline(tmp_path, SourcePolicy(room=0), serve_documents=serve_documents)
    worker = Worker(shop.line)
    worker.start()
    end = time.monotonic() + 60
    while not (worker.is_idle() and shop.line.journal.receipts.counts()[State.DELIVERED] == 1):
        assert time.monotonic() < end
        time.sleep(0.05)
    worker.stop()
    assert worker.join(30)
    assert ended.is_set()
    assert (worker.fault, len(calls)) == (None, 2)
    shop.line.journal.close()


def test_it_is_not_idle_while_something_is_being_accepted(shop: Pipeline) -> None:
    seen: list[bool] = []
    all_at_once(shop, ["1", "2"], lambda: seen.append(shop.served.is_idle()))
    assert seen == [False]
    assert shop.served.is_idle()


def test_who_comes_while_the_backlog_is_counted_for_the_first_time_is_not_told_that_it_is_full(tmp_path: Path) -> None:
    shop = pipeline(tmp_path)
    counting, go_on = threading.Event(), threading.Event()
    count = shop.line.journal.receipts.count_unsettled

    def slowly() -> int:
        counting.set()
        assert go_on.wait(30)
        return count()

    shop.line.journal.receipts.count_unsettled = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shop.accept, "1")
        assert counting.wait(30)
        second = pool.submit(shop.accept, "2")
        with pytest.raises(TimeoutError):
            second.result(0.2)
        go_on.set()
        assert first.result(30)["accepted"] == second.result(30)["accepted"] == 1
    shop.line.journal.close()

"""The sink: what it counts, what it answers, and how it fails when told to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.benchmarks import contenders
from tests.benchmarks.contenders import Task
from tests.benchmarks.process import BenchmarkFailed, Running
from tests.benchmarks.running_sink import RunningSink


@pytest.fixture
def sink() -> Iterator[RunningSink]:
    with RunningSink() as sink:
        yield sink


def ask(sink: RunningSink, method: str, path: str, value: Any = None, timeout: float = 10.0) -> tuple[int, Any]:
    body = None if value is None else json.dumps(value)
    answer = urllib3.request(method, f"{sink.url}/api/v3{path}", body=body, retries=False, timeout=timeout)
    return answer.status, answer.json()


def test_it_counts_and_fails_as_told(sink: RunningSink, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_bytes(b'{"id": "a"}\n{"id": "b"}\n{"id": "a"}\n')

    def post() -> None:
        commands = contenders.urllib3_loop(Task(tmp_path, (lines,), (sink.url,), 1))
        Running(commands.deliver, tmp_path / "log").ended(60)

    post()
    assert sink.ids() == {"a": 2, "b": 1}
    assert len(sink.arrivals()) == 2
    sink.reset()
    sink.set(fault="500")
    post()
    assert sink.ids() == {}
    assert sink.counts()["faulted"] == 3
    sink.set(fault="refuse")
    with pytest.raises(BenchmarkFailed, match=r"NewConnectionError|refused"):
        post()
    sink.set(fault="")
    post()
    assert sink.ids() == {"a": 2, "b": 1}


def test_a_contact_is_found_once_it_was_made(sink: RunningSink) -> None:
    sink.set(known=False)
    assert ask(sink, "GET", "/contacts/id?externalId=C-1") == (404, {"errorCode": "ContactNotFound"})
    status, made = ask(sink, "POST", "/contacts?source=POS", {"externalId": "C-1", "email": "a@example.com"})
    assert status == 201
    assert ask(sink, "GET", "/contacts/id?externalId=C-1") == (200, made["id"])
    assert ask(sink, "GET", "/contacts/id?email=a%40example.com") == (200, made["id"])
    assert ask(sink, "GET", "/contacts/count") == (200, 2)


def test_a_receipt_is_in_the_history_of_its_contact(sink: RunningSink) -> None:
    _, contact = ask(sink, "GET", "/contacts/id?externalId=C-1")
    receipt = {"contact": {"matchKey": contact, "matchKeyType": "contactId"}, "uniqueReceiptId": "r1"}
    assert ask(sink, "POST", "/receipts", receipt)[0] == 202
    assert ask(sink, "GET", f"/contacts/{contact}/transactions?offset=0&count=100")[1] == {
        "items": [{"externalId": "r1"}]
    }
    assert ask(sink, "GET", f"/contacts/{contact}/transactions?offset=1&count=100")[1] == {"items": []}
    assert len(sink.requests()) == 4


def test_an_answer_comes_as_late_as_told(sink: RunningSink) -> None:
    sink.set(delay=0.2)
    began = time.monotonic()
    assert ask(sink, "POST", "/receipts", {"id": "a"})[0] == 202
    assert time.monotonic() - began >= 0.2


def test_a_silent_sink_reads_and_never_answers(sink: RunningSink) -> None:
    sink.set(fault="silent")
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        ask(sink, "POST", "/receipts", {"id": "a"}, timeout=0.3)
    assert sink.counts()["unanswered"] == 1
    assert sink.ids() == {}

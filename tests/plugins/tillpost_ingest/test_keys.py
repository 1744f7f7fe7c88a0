"""The same key and body get the same answer, after a restart too; another body is refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.ingest import KEY, ONE, TWO, Ingest, problem
from tests.support.receipts import receipt
from tillpost.errors import NotCommitted
from tillpost.model import Document
from tillpost.model.receipt_json import dumps


def test_the_same_key_and_body_get_the_same_answer_after_a_restart_too(tmp_path: Path) -> None:
    with Ingest(tmp_path) as ingest:
        first = ingest.send(ONE, Idempotency_Key='"a-key"')
        assert (first.status, first.body["accepted"]) == (202, 1)
        assert ingest.send(ONE, Idempotency_Key="a-key").body == first.body
    with Ingest(tmp_path) as ingest:
        again = ingest.send(ONE, Idempotency_Key="a-key")
        assert (again.status, again.body) == (202, first.body)
        assert ingest.send(ONE, Idempotency_Key="other").body["duplicates"] == 1
        assert ingest.ids() == ["1"]


def test_the_same_key_with_another_body_is_refused(ingest: Ingest) -> None:
    ingest.send(ONE, Idempotency_Key="a-key")
    problem(ingest.send(TWO, Idempotency_Key="a-key"), 422, "key-taken")
    assert ingest.ids() == ["1"]


def test_senders_do_not_share_their_keys(tmp_path: Path) -> None:
    other = "key-of-store-13-for-tests"
    with Ingest(tmp_path, f'keys = {{ store12 = "{KEY}", store13 = "{other}" }}') as ingest:
        ingest.send(ONE, Idempotency_Key="a-key")
        assert ingest.send(TWO, X_Api_Key=other, Idempotency_Key="a-key").body["accepted"] == 1


def test_a_second_request_with_the_key_of_one_in_flight_gets_409(ingest: Ingest) -> None:
    entered, go_on = threading.Event(), threading.Event()
    accept = ingest.line.journal.idempotency_keys.recall

    def slowly(key: str) -> object:
        entered.set()
        assert go_on.wait(30)
        return accept(key)

    ingest.line.journal.idempotency_keys.recall = slowly  # type: ignore[method-assign, assignment]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ingest.send, ONE, Idempotency_Key="a-key")
        assert entered.wait(30)
        problem(ingest.send(ONE, Idempotency_Key="a-key"), 409, "in-flight")
        go_on.set()
        assert first.result(30).status == 202
    assert ingest.send(ONE, Idempotency_Key="a-key").body["accepted"] == 1


def test_only_what_was_accepted_whole_is_remembered(ingest: Ingest) -> None:
    """A bad document may be readable after a fix of the settings; one that failed to commit must come again."""
    bad = b"[" + ONE + b", nonsense"
    problem(ingest.send(bad, Idempotency_Key="a-key"), 422, "unreadable")
    assert ingest.send(bad, Idempotency_Key="a-key").body["before_the_fault"]["duplicates"] == 1

    def fail(document: Document) -> None:
        raise NotCommitted("/state: read-only")

    ingest.accept = fail
    problem(ingest.send(TWO, Idempotency_Key="b-key"), 503, "not-committed")
    ingest.accept = ingest.served
    assert ingest.send(TWO, Idempotency_Key="b-key").body["accepted"] == 1


@pytest.mark.parametrize("count", [100, 101, 200])
def test_a_document_of_several_commits_is_remembered_with_its_last(ingest: Ingest, count: int) -> None:
    body = b"\n".join(dumps(receipt(number=str(number))) for number in range(count))
    first = ingest.send(body, Idempotency_Key="a-key")
    assert first.body["accepted"] == count
    assert ingest.send(body, Idempotency_Key="a-key").body == first.body


def test_old_answers_are_removed_in_small_steps(ingest: Ingest) -> None:
    for number in range(6):
        ingest.send(ONE, Idempotency_Key=f"old-{number}")
    ingest.clock.now += 8 * 86400
    left = []
    for number in range(4):
        ingest.send(ONE, Idempotency_Key=f"new-{number}")
        left.append(sum(ingest.journal.idempotency_keys.recall(f"store12:old-{old}") is not None for old in range(6)))
    assert left == [4, 2, 0, 0]
    assert all(ingest.journal.idempotency_keys.recall(f"store12:new-{number}") for number in range(4))

"""The hint which contacts are gone: whatever shape Engage's answer has, its texts are read, and nothing goes wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tillpost.model import Misconfigured, NoHints, NotSent, Throttled

GONE = "5f1d7c3e-0000-4000-8000-5f1d7c3e0001"
SINCE = datetime(2026, 3, 14, 14, 30, tzinfo=UTC)
HUGE = json.dumps([GONE] * 60_000)

Reply = tuple[int, str, str]
Rule = Callable[[dict[str, list[str]]], Reply]


@contextmanager
def answering(rule: Rule) -> Iterator[tuple[str, list[str]]]:
    """An Engage whose `contacts/changes` answers so, to the query; and what it was asked, path by path."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            asked.append(path)
            status, kind, body = 404, "application/json", '{"errorCode": "ContactNotFound"}'
            if path.endswith("/contacts/changes"):
                status, kind, body = rule(query)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *given: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def always(body: str, status: int = 200, kind: str = "application/json") -> Rule:
    return lambda query: (status, kind, body)


def test_the_request_is_that_of_the_published_client(build: Callable[..., Any]) -> None:
    seen: dict[str, list[str]] = {}

    def rule(query: dict[str, list[str]]) -> Reply:
        seen.update(query)
        return 200, "application/json", "[]"

    with answering(rule) as (url, asked):
        assert build(url).transport.contacts_gone(SINCE) == frozenset()
    assert asked == ["/api/v2/contacts/changes"]
    assert seen["changeType"] == ["Deleted"]
    moment = datetime.strptime(seen["fromDate"][0], "%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ007 - it has no offset
    assert moment <= SINCE.replace(tzinfo=None), "never later than what was asked for"
    assert moment >= SINCE.replace(tzinfo=None) - timedelta(hours=15)


@pytest.mark.parametrize(
    "value",
    [
        [GONE],
        GONE,
        {"contactIds": [GONE], "count": 1},
        {"items": [{"id": GONE, "changeType": "Deleted", "date": "2026-03-14"}]},
        {"Deleted": {GONE: None}},
        [[[{"contact": {"contactId": GONE.upper()}}]]],
    ],
)
def test_every_shape_of_answer_is_read(value: Any, build: Callable[..., Any]) -> None:
    with answering(always(json.dumps(value))) as (url, _):
        answer = build(url).transport.contacts_gone(SINCE)
    assert isinstance(answer, frozenset)
    assert GONE in answer


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", "0", '{"": []}', '["a@b.se", "+46 70"]'])
def test_an_answer_that_names_nobody(body: str, build: Callable[..., Any]) -> None:
    with answering(always(body)) as (url, _):
        assert build(url).transport.contacts_gone(SINCE) == frozenset()


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 501])
def test_a_tenant_without_it_says_so(status: int, build: Callable[..., Any]) -> None:
    with answering(always('{"errorCode": "NotFound"}', status)) as (url, asked):
        answer = build(url).transport.contacts_gone(SINCE)
    assert answer == NoHints(reason=f"answered {status} for contacts/changes", status=status)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("body", "status", "kind", "expected"),
    [
        ("x", 500, "text/plain", NotSent),
        ("x", 503, "text/plain", NotSent),
        ("{}", 401, "application/json", Misconfigured),
        ("{}", 429, "application/json", Throttled),
        ("<html>", 200, "text/html", NotSent),
        ("[" * 100_000, 200, "application/json", NotSent),
        ('["cut', 200, "application/json", NotSent),
    ],
)
def test_other_answers_are_none(body: str, status: int, kind: str, expected: type, build: Callable[..., Any]) -> None:
    with answering(always(body, status, kind)) as (url, _):
        assert isinstance(build(url).transport.contacts_gone(SINCE), expected)


def test_nobody_there_is_no_answer(build: Callable[..., Any]) -> None:
    assert isinstance(build("http://127.0.0.1:9").transport.contacts_gone(SINCE), NotSent)


def test_an_answer_that_is_too_long_is_asked_for_a_shorter_time_once(build: Callable[..., Any]) -> None:
    def rule(query: dict[str, list[str]]) -> Reply:
        moment = datetime.fromisoformat(query["fromDate"][0])
        is_long = moment < datetime.now() - timedelta(days=2)  # noqa: DTZ005 - as the query
        return 200, "application/json", HUGE if is_long else json.dumps([GONE])

    with answering(rule) as (url, asked):
        assert build(url).transport.contacts_gone(datetime.now(UTC) - timedelta(days=31)) == {GONE}
        assert len(asked) == 2
    with answering(always(HUGE)) as (url, asked):
        assert isinstance(build(url).transport.contacts_gone(SINCE), NotSent)
        assert len(asked) == 2


def test_a_wrong_key_is_not_taken_for_a_tenant_without_it(tenant: Any, build: Callable[..., Any]) -> None:
    wrong = build(tenant.sandbox.url, key="wrong").transport.contacts_gone(SINCE)
    assert isinstance(wrong, Misconfigured)

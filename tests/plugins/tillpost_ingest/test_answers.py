"""What a sender is answered: 202 after the commit, and a problem document for everything else."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.ingest import HEAD, KEY, ONE, TWO, Ingest, problem, wire
from tests.support.receipts import receipt
from tillpost.errors import DiskFailed, JournalFull, NotCommitted, PluginError, Stopped
from tillpost.flow.limits import SourcePolicy
from tillpost.model.receipt_json import dumps

COUNTS = {"accepted": 0, "duplicates": 0, "skipped": 0, "ignored": 0, "held": 0}


def test_receipts_are_answered_once_they_are_in_the_journal(ingest: Ingest) -> None:
    body = ONE + b"\n" + TWO + b"\n" + dumps(receipt(number="3", customer=None)) + b"\nbroken\n"
    reply = ingest.send(body)
    assert reply.status == 202
    assert reply.body == COUNTS | {
        "accepted": 2, "skipped": 1, "held": 1, "sha256": hashlib.sha256(body).hexdigest()
    }  # fmt: skip
    assert ingest.ids() == ["1", "2", "3", ""]
    again = ingest.send(body)
    assert again.body == COUNTS | {"duplicates": 4, "sha256": reply.body["sha256"]}


def test_the_document_is_named_after_its_sender(ingest: Ingest) -> None:
    body = json.dumps({name: value for name, value in json.loads(ONE).items() if name != "raw"}).encode()
    ingest.send(body)
    (entry,) = ingest.journal.receipts.find({})
    short = hashlib.sha256(body).hexdigest()[:12]
    assert re.fullmatch(rf"store12/2026-05-28T\d{{6}}Z-{short}", entry.document), entry.document


@pytest.mark.parametrize("path", ["/", "/v1/other/receipts", "/v1/shop/receipts/", "/v1/shop", "/v1/SHOP/receipts"])
def test_what_no_pipeline_listens_for_is_not_found(ingest: Ingest, path: str) -> None:
    problem(ingest.send(ONE, path=path), 404, "not-found")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_taken(ingest: Ingest, method: str) -> None:
    reply = ingest.send(b"", method=method)
    problem(reply, 405, "method")
    assert reply.headers["Allow"] == "POST"


def test_a_head_has_no_body(ingest: Ingest) -> None:
    assert ingest.send(b"", method="HEAD").status == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Api_Key": ""},
        {"X_Api_Key": "another-key-of-16-characters"},
        {"Authorization": "Bearer another-key-of-16-characters"},
        {"X_Api_Key": "", "Authorization": f"Basic {KEY}"},
        {"X_Api_Key": "schlüssel-über-alles"},
    ],
)
def test_an_unknown_sender_is_refused_and_no_key_is_shown(ingest: Ingest, headers: dict[str, Any]) -> None:
    reply = ingest.send(ONE, **headers)
    problem(reply, 401, "unauthorized")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert KEY not in json.dumps(reply.body)
    assert "another" not in json.dumps(reply.body)
    assert ingest.ids() == []


@pytest.mark.parametrize("headers", [{"X_Api_Key": "", "Authorization": f"bearer {KEY}"}, {"X_Api_Key": KEY}])
def test_a_key_comes_as_bearer_or_by_itself(ingest: Ingest, headers: dict[str, Any]) -> None:
    assert ingest.send(ONE, **headers).status == 202


@pytest.mark.parametrize(
    "kind",
    [
        "", "application/json", "APPLICATION/JSON; charset=utf-8", "application/vnd.pos+json", "application/x-ndjson",
        "application/xml", "application/vnd.pos+xml", "text/xml", "text/csv", "text/plain", "application/octet-stream",
    ],
)  # fmt: skip
def test_what_an_adapter_may_read_is_taken(ingest: Ingest, kind: str) -> None:
    assert ingest.send(ONE, Content_Type=kind).status == 202


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "image/png", "json", "/"])
def test_what_no_adapter_reads_is_refused(ingest: Ingest, kind: str) -> None:
    reply = ingest.send(ONE, Content_Type=kind)
    problem(reply, 415, "unsupported-type")
    assert "application/json" in reply.headers["Accept"]
    assert ingest.ids() == []


def test_gzip_is_unpacked(ingest: Ingest) -> None:
    packed = gzip.compress(ONE + b"\n") + gzip.compress(TWO)
    reply = ingest.send(packed, Content_Encoding="gzip")
    assert (reply.status, reply.body["accepted"]) == (202, 2)
    assert reply.body["sha256"] == hashlib.sha256(ONE + b"\n" + TWO).hexdigest()


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(ONE)[:-9], gzip.compress(ONE) + b"more"])
def test_what_is_no_whole_gzip_is_refused(ingest: Ingest, body: bytes) -> None:
    problem(ingest.send(body, Content_Encoding="gzip"), 400, "bad-gzip")
    assert ingest.ids() == []


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
def test_other_encodings_are_refused(ingest: Ingest, coding: str) -> None:
    reply = ingest.send(ONE, Content_Encoding=coding)
    problem(reply, 415, "unsupported-encoding")
    assert reply.headers["Accept-Encoding"] == "gzip"


def test_a_body_that_is_too_large_is_refused_packed_or_not(tmp_path: Path) -> None:
    with Ingest(tmp_path, f'largest = 4096, keys = {{ store12 = "{KEY}" }}') as ingest:
        problem(ingest.send(bytes(4097)), 413, "too-large")
        bomb = gzip.compress(bytes(200_000_000), 9)[: 1 << 20]
        small = gzip.compress(bytes(1_000_000), 9)
        assert len(small) < 4096
        problem(ingest.send(small, Content_Encoding="gzip"), 413, "too-large")
        problem(ingest.send(bomb, Content_Encoding="gzip"), 413, "too-large")
        assert ingest.send(ONE).status == 202


def test_an_empty_body_is_refused(ingest: Ingest) -> None:
    problem(ingest.send(b""), 400, "empty")


def test_a_document_that_cannot_be_read_says_where_and_what_was_accepted_before(ingest: Ingest) -> None:
    body = b"[" + ONE + b"," + TWO + b", nonsense secret@example.com"
    members = problem(ingest.send(body), 422, "unreadable")
    assert members["before_the_fault"] == COUNTS | {"accepted": 2}
    assert members["place"]
    assert members["sha256"] == hashlib.sha256(body).hexdigest()
    assert "secret" not in json.dumps(members)
    assert ingest.ids() == ["1", "2"]


@pytest.mark.parametrize(
    ("error", "status", "kind", "after"),
    [
        (JournalFull("/state: no room"), 507, "disk-full", "60"),
        (NotCommitted("/state: read-only"), 503, "not-committed", "5"),
        (DiskFailed("/state: failed"), 503, "not-committed", "5"),
        (Stopped("d: stopped"), 503, "not-committed", "5"),
        (PluginError("mytill", "parse_receipts raised KeyError"), 500, "failed", None),
        (OSError(5, "EIO"), 500, "failed", None),
        (KeyError("eva@example.com"), 500, "failed", None),
    ],
)
def test_what_cannot_be_committed_is_not_answered_with_202(
    ingest: Ingest, caplog: pytest.LogCaptureFixture, error: Exception, status: int, kind: str, after: str | None
) -> None:
    def fail(document: object) -> None:
        raise error

    ingest.accept = fail
    reply = ingest.send(ONE)
    problem(reply, status, kind)
    assert reply.headers.get("Retry-After") == after
    assert "/state" not in json.dumps(reply.body)
    assert "eva@" not in caplog.text


@pytest.mark.parametrize(
    ("policy", "words"),
    [(SourcePolicy(backlog=1), "backlog"), (SourcePolicy(room=1 << 60), "disk")],
)
def test_near_a_limit_senders_are_told_to_wait(tmp_path: Path, policy: SourcePolicy, words: str) -> None:
    with Ingest(tmp_path, policy=policy) as ingest:
        if words == "backlog":
            assert ingest.send(ONE).status == 202
        reply = ingest.send(TWO)
        members = problem(reply, 429, "busy")
        assert words in members["detail"]
        assert int(reply.headers["Retry-After"]) >= 1
        assert "2" not in ingest.ids()


def answer_to(raw: socket.socket, sent: bytes) -> tuple[int, dict[str, Any]]:
    if sent:
        raw.sendall(sent)
    received = b""
    while part := raw.recv(65536):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        (HEAD + b"\r\n", 411, "length-required"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 411, "length-required"),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 411, "length-required"),
        (HEAD + b"Content-Length: -3\r\n\r\nabc", 400, "bad-length"),
        (HEAD + b"Content-Length: 1_0\r\n\r\n0123456789", 400, "bad-length"),
        (HEAD + b"Content-Length: abc\r\n\r\n", 400, "protocol"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 413, "too-large"),
        (HEAD + b"Content-Length: 3\r\nIdempotency-Key: " + b"k" * 256 + b"\r\n\r\nabc", 400, "bad-key"),
        (HEAD + b"Content-Length: 3\r\nIdempotency-Key: \x01\r\n\r\nabc", 400, "bad-key"),
        (HEAD + b"X: " + b"x" * (40 << 10) + b"\r\n\r\n", 413, "protocol"),
        (b"GET /" + b"x" * (40 << 10) + b" HTTP/1.1\r\n\r\n", 414, "protocol"),
        (b"nonsense\r\n\r\n", 400, "protocol"),
        (b"GET / HTTP/3.0\r\n\r\n", 505, "protocol"),
    ],
)
def test_a_protocol_error_is_a_problem_document_and_ends_the_connection(
    ingest: Ingest, sent: bytes, status: int, kind: str
) -> None:
    with wire(ingest) as raw:
        code, members = answer_to(raw, sent)
    assert (code, members["type"]) == (status, f"urn:tillpost:problem:{kind}"), members
    assert ingest.ids() == []


def test_a_body_that_breaks_off_is_not_accepted(ingest: Ingest) -> None:
    with wire(ingest) as raw:
        raw.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (len(ONE) + 1) + ONE)
        raw.shutdown(socket.SHUT_WR)
        code, members = answer_to(raw, b"")
    assert (code, members["type"]) == (400, "urn:tillpost:problem:incomplete")
    assert ingest.ids() == []


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (ONE, {"Content_Type": "application/x-www-form-urlencoded"}, "(415): send JSON, XML, CSV"),
        (ONE, {"Content_Encoding": "br"}, "(415): send it unpacked, or by gzip"),
        (ONE, {"Content_Encoding": "gzip"}, "(400): the body is not a complete gzip file"),
        (b"", {}, "(400): the body is empty"),
        (ONE, {"Transfer_Encoding": "chunked"}, "(411): send the body with its Content-Length, not in chunks"),
    ],
)
def test_who_is_refused_whatever_is_sent_again_stands_in_the_log(
    ingest: Ingest, caplog: pytest.LogCaptureFixture, body: bytes, headers: dict[str, Any], told: str
) -> None:
    """Some senders show nobody what they are answered."""
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            ingest.send(body, **headers)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"pipeline shop: ingest: a request is refused {told}")

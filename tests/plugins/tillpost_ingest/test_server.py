"""The server on a real socket: kept connections, slow ones, many, TLS, and the end."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.certificates import certificate
from tests.support.engine import store_of
from tests.support.ingest import HEAD, KEY, ONE, TWO, Ingest, wire
from tests.support.receipts import receipt
from tests.support.waiting import until
from tillpost.model import Document
from tillpost.model.receipt_json import dumps
from tillpost_ingest import server

KEYS = f'keys = {{ store12 = "{KEY}" }}'


def test_a_connection_is_kept_for_many_requests(ingest: Ingest) -> None:
    connection = ingest.connect()
    connection.connect()
    used = connection.sock
    for number in range(20):
        assert ingest.send(dumps(receipt(number=str(number))), connection=connection).status == 202
        assert connection.sock is used
    problem = ingest.send(b"", connection=connection)
    assert (problem.status, connection.sock) == (400, used)
    connection.close()
    assert len(ingest.ids()) == 20


def test_a_sender_that_asks_before_it_sends_is_answered(ingest: Ingest) -> None:
    """`Expect: 100-continue`, as curl has it with larger bodies."""
    with wire(ingest) as raw:
        raw.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(ONE))
        assert raw.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        raw.sendall(ONE)
        assert raw.recv(65536).startswith(b"HTTP/1.1 202 Accepted\r\n")


def test_two_requests_in_one_packet_are_both_answered(ingest: Ingest) -> None:
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(ONE) + ONE
    with wire(ingest) as raw:
        raw.sendall(one + one)
        received = b""
        while received.count(b"HTTP/1.1 202") < 2:
            part = raw.recv(65536)
            assert part, received
            received += part


def test_what_is_sent_at_the_same_time_is_committed_together(ingest: Ingest) -> None:
    """64 connections; each receipt is there once, and there were fewer commits than receipts."""
    commits = 0
    write = store_of(ingest.journal)._commit_group

    def counted() -> None:
        nonlocal commits
        commits += 1
        write()

    store_of(ingest.journal)._commit_group = counted  # type: ignore[method-assign]
    count = 320
    with ThreadPoolExecutor(64) as pool:
        bodies = [dumps(receipt(number=str(number))) for number in range(count)]
        replies = list(pool.map(ingest.send, bodies))
    assert {reply.status for reply in replies} == {202}
    assert sorted(map(int, ingest.ids())) == list(range(count))
    assert commits < count


@pytest.mark.parametrize("sent", [b"", b"POST /v1", HEAD[:-5], HEAD + b"Content-Length: 1000\r\n\r\n"])
def test_slow_senders_do_not_delay_others(ingest: Ingest, sent: bytes) -> None:
    """More of them than half of the threads: silent, in the middle of their headers, or of their body."""
    with ExitStack() as stack:
        for _ in range(server.THREADS // 2 + 8):
            stack.enter_context(wire(ingest)).sendall(sent)
        assert ingest.send(ONE).status == 202


def test_silent_connections_hold_no_thread(ingest: Ingest) -> None:
    with ExitStack() as stack:
        for _ in range(server.THREADS * 2):
            stack.enter_context(wire(ingest))
        assert ingest.send(ONE).status == 202


def test_what_does_not_arrive_in_time_gets_408_and_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte, so that each read is quick: what counts is the whole."""
    monkeypatch.setattr(server, "_HEADERS_WITHIN", 0.3)
    with Ingest(tmp_path, f'timeout = "1s", {KEYS}') as ingest:
        for head in (b"", HEAD + b"Content-Length: 1000\r\n\r\n"):
            with wire(ingest) as raw:
                raw.sendall(head or b"POST")
                raw.settimeout(0.1)
                received = b""
                while not received:
                    try:
                        raw.sendall(b"x")
                        received = raw.recv(65536)
                    except TimeoutError:
                        continue
                assert received.startswith(b"HTTP/1.1 408"), received
                assert b"urn:tillpost:problem:protocol" in received
        assert ingest.send(ONE).status == 202


def test_more_connections_than_there_is_room_for_are_closed(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 5)
    with ExitStack() as stack:
        several = [stack.enter_context(wire(ingest)) for _ in range(6)]
        closed, _, _ = select.select(several, [], [], 30)
        assert closed
        with suppress(ConnectionResetError):
            assert closed[0].recv(1) == b""

    def has_room() -> bool:
        try:
            return ingest.send(ONE).status == 202
        except (ConnectionError, http.client.HTTPException):
            return False  # it has not yet seen that the others are gone

    until(has_room)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Ingest, ssl.SSLContext]]:
    pem, _ = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(pem))
    with Ingest(tmp_path, f'certificate = "cert.pem", key = "key.pem", {KEYS}') as ingest:
        yield ingest, context


def test_tls_serves_and_keeps_the_connection(secure: tuple[Ingest, ssl.SSLContext]) -> None:
    ingest, context = secure
    connection = ingest.connect(context)
    large = b"\n".join(dumps(receipt(number=str(number))) for number in range(300))
    for body in (ONE, TWO, large):
        assert ingest.send(body, connection=connection).status == 202
    assert isinstance(connection.sock, ssl.SSLSocket)
    assert connection.sock.version() in ("TLSv1.2", "TLSv1.3")
    connection.close()


def test_tls_before_1_2_is_refused(secure: tuple[Ingest, ssl.SSLContext]) -> None:
    ingest, _ = secure
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    connection = ingest.connect(old)
    with pytest.raises(ssl.SSLError):
        ingest.send(ONE, connection=connection)
    connection.close()


def test_a_stalled_handshake_does_not_delay_others(secure: tuple[Ingest, ssl.SSLContext]) -> None:
    ingest, context = secure
    with ExitStack() as stack:
        for number in range(20):
            raw = stack.enter_context(wire(ingest))
            if number % 2:
                raw.sendall(b"\x16\x03\x01")
        connection = ingest.connect(context)
        assert ingest.send(ONE, connection=connection).status == 202
        connection.close()


def test_http_without_tls_is_not_served_there(
    secure: tuple[Ingest, ssl.SSLContext], caplog: pytest.LogCaptureFixture
) -> None:
    ingest, context = secure
    with pytest.raises((http.client.HTTPException, OSError)):
        ingest.send(ONE)
    connection = ingest.connect(context)
    assert ingest.send(ONE, connection=connection).status == 202
    connection.close()
    assert KEY not in caplog.text


def test_a_stop_answers_what_is_in_flight_and_takes_nothing_new(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()
    with Ingest(tmp_path) as ingest:
        serve = ingest.accept

        def slowly(document: Document) -> object:
            entered.set()
            assert go_on.wait(30)
            return serve(document)

        ingest.accept = slowly
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(ingest.send, ONE)
            assert entered.wait(30)
            stopped = pool.submit(ingest.stop)
            end = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", ingest.port), 5).close()
                except ConnectionRefusedError:
                    break
                assert time.monotonic() < end
                time.sleep(0.05)
            assert not stopped.done()
            go_on.set()
            reply = first.result(30)
            stopped.result(30)
        assert (reply.status, reply.headers["Connection"]) == (202, "close")
        assert ingest.ids() == ["1"]


def test_a_stop_does_not_wait_for_those_who_only_keep_their_connection(ingest: Ingest) -> None:
    connection = ingest.connect()
    assert ingest.send(ONE, connection=connection).status == 202
    began = time.monotonic()
    ingest.stop()
    assert time.monotonic() - began < 20
    connection.close()


def test_the_answer_is_json_for_programs(ingest: Ingest) -> None:
    reply = ingest.send(ONE)
    assert reply.headers["Content-Type"] == "application/json"
    assert json.dumps(reply.body)

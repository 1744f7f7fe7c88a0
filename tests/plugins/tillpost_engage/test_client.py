"""Requests and answers, against raw sockets that misbehave."""

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tillpost import ConfigurationError, Secret, Use
from tillpost.kit.network import retry_after
from tillpost.model import MaybeSent, Misconfigured, NotSent
from tillpost.trace import trace_id, working_on
from tillpost_engage import plugin
from tillpost_engage.answers import Answer, judge
from tillpost_engage.settings import ResolveSettings, TransportSettings

Act = Callable[[socket.socket, threading.Event], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def server(*acts: Act) -> Iterator[str]:
    """A server whose n-th connection is handled by the n-th act (the last for all others)."""
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def handle(connection: socket.socket, act: Act) -> None:
        with connection, suppress(OSError):
            act(connection, done)

    def accept() -> None:
        count = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if done.is_set():
                connection.close()
                return
            threads.append(threading.Thread(target=handle, args=(connection, acts[min(count, len(acts) - 1)])))
            threads[-1].start()
            count += 1

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    port = listener.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        done.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            pass  # wakes the acceptor
        acceptor.join()
        listener.close()
        for thread in threads:
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(65536)
    head, _, body = raw.partition(b"\r\n\r\n")
    length = next((int(li.split(b":")[1]) for li in head.split(b"\r\n") if li.lower().startswith(b"content-length")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answers(raw: bytes) -> Act:
    def act(connection: socket.socket, _: threading.Event) -> None:
        read_request(connection)
        connection.sendall(raw)

    return act


def drips(start: bytes, piece: bytes) -> Act:
    def act(connection: socket.socket, done: threading.Event) -> None:
        read_request(connection)
        connection.sendall(start)
        while not done.wait(0.1):
            connection.sendall(piece)

    return act


def late(url: str) -> str:
    return f"no answer from {url.removeprefix('http://')} within 0.6 s"


def silent(connection: socket.socket, done: threading.Event) -> None:
    done.wait()


@pytest.mark.parametrize(
    "act",
    [
        silent,
        drips(b"", b"H"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drips(OK + b"Content-Length: 9000\r\n\r\n", b" "),
        drips(OK + b"Connection: close\r\n\r\n", b" "),
        drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n1\r\n"),
        drips(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "headers", "length", "to-the-end", "chunked", "continue"],
)
def test_the_deadline_bounds_the_whole_exchange(build: Callable[..., Any], act: Act) -> None:
    """No answer at all, silence, a slow drip of a byte: a total deadline with its own clock, none for each read."""
    with server(act) as url:
        client = build(url, timeout=0.6).transport.client
        began = time.monotonic()
        outcome = client.send("POST", "/receipts", body={})
        assert 0.5 < time.monotonic() - began < 20
        assert outcome == MaybeSent(reason=late(url))
        assert isinstance(client.send("GET", "/contacts/count"), NotSent)


def test_the_deadline_holds_on_a_kept_connection(build: Callable[..., Any]) -> None:
    connections = 0

    def act(connection: socket.socket, done: threading.Event) -> None:
        nonlocal connections
        connections += 1
        read_request(connection)
        connection.sendall(OK + b"Content-Length: 1\r\n\r\n7")
        drips(OK + b"Content-Length: 9000\r\n\r\n", b" ")(connection, done)

    with server(act) as url:
        client = build(url, timeout=0.6).transport.client
        assert client.send("GET", "/contacts/count").value == 7
        assert client.send("POST", "/receipts", body={}) == MaybeSent(reason=late(url))
        assert connections == 1


def test_a_tls_handshake_that_never_comes_is_not_sent(build: Callable[..., Any]) -> None:
    with server(silent) as url:
        began = time.monotonic()
        outcome = build(url.replace("http:", "https:"), timeout=0.6).transport.client.send("POST", "/receipts", body={})
        assert isinstance(outcome, NotSent)
        assert time.monotonic() - began < 20


def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(build: Callable[..., Any], tmp_path: Any) -> None:
    """No request is made to a server whose certificate does not hold."""
    import subprocess

    key, certificate = tmp_path / "k.pem", tmp_path / "c.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    seen: list[bytes] = []

    def act(connection: socket.socket, _: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            seen.append(secure.recv(100))

    with server(act) as url:
        outcome = build(url.replace("http:", "https:")).transport.client.send("POST", "/receipts", body={})
    assert outcome == NotSent(
        reason=f"the certificate of {url.removeprefix('http://')} is not trusted: self-signed certificate"
    )
    assert seen in ([], [b""])


def test_a_refused_connection_and_an_unknown_host_are_not_sent(build: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url, words in (
        (f"http://127.0.0.1:{port}", f"connection refused by 127.0.0.1:{port}"),
        (f"https://127.0.0.1:{port}", f"connection refused by 127.0.0.1:{port}"),
        ("http://no-such-host.invalid", "host name not found: no-such-host.invalid"),
        (f"http://{'x' * 64}.example", f"host name not found: {'x' * 64}.example"),
    ):
        assert build(url).transport.client.send("POST", "/receipts", body={}) == NotSent(reason=words)


def test_a_server_that_speaks_no_tls_is_named_so(build: Callable[..., Any]) -> None:
    def act(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(b"220 Service ready\r\n" * 20)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65536)

    with server(act) as url:
        outcome = build(url.replace("http:", "https:")).transport.client.send("POST", "/receipts", body={})
    assert isinstance(outcome, NotSent)
    assert outcome.reason.startswith(f"no TLS connection with {url.removeprefix('http://')}: ")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", MaybeSent),
        (b"HTTP/1.1 20", MaybeSent),
        (b"no http at all\r\n\r\n", MaybeSent),
        (OK + b"Content-Length: 50\r\n\r\n{}", MaybeSent),
        (OK + b"Content-Length: x\r\n\r\n{}", None),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", MaybeSent),
    ],
    ids=["closed", "half-status", "nonsense", "half-body", "odd-length", "500-headers"],
)
def test_an_invalid_answer_leaves_a_post_in_doubt(build: Callable[..., Any], raw: bytes, expected: type | None) -> None:
    """Half a response, or one that is no HTTP: the outcome is unknown."""
    with server(answers(raw)) as url:
        outcome = build(url).transport.client.send("POST", "/receipts", body={})
    if expected is None:
        assert isinstance(outcome, (MaybeSent, Answer))
    else:
        assert type(outcome) is expected


def test_a_reset_after_the_body_leaves_a_post_in_doubt(build: Callable[..., Any]) -> None:
    def act(connection: socket.socket, _: threading.Event) -> None:
        read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with server(act) as url:
        assert isinstance(build(url).transport.client.send("POST", "/receipts", body={}), MaybeSent)


@pytest.mark.parametrize(
    ("types", "body"),
    [
        ((), b"<html>log in</html>"),
        ((), b" \n<!DOCTYPE html>"),
        ((b"application/json",), b'"<html>log in</html>"'),
        ((b"application/json", b"text/html"), b'"log in"'),
    ],
)
def test_a_captive_portal_is_no_success(build: Callable[..., Any], types: tuple[bytes, ...], body: bytes) -> None:
    named = b"".join(b"Content-Type: %b\r\n" % each for each in types)
    head = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (named, len(body))
    with server(answers(head + body)) as url:
        answer = build(url).transport.client.send("POST", "/receipts", body={})
    assert isinstance(judge(answer, changes=True), NotSent)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe", b"{", b"1" * 10_000, b" " + b"1" * (2 << 20)])
def test_a_body_that_is_no_json_is_no_success(build: Callable[..., Any], body: bytes) -> None:
    with server(answers(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)) as url:
        answer = build(url).transport.client.send("POST", "/receipts", body={})
    assert isinstance(judge(answer, changes=True), MaybeSent)


def test_an_endless_answer_is_read_to_a_mebibyte_at_most(build: Callable[..., Any]) -> None:
    """What is behind it is never fetched, let alone held: the connection is closed."""
    sent = [0]

    def act(connection: socket.socket, done: threading.Event) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not done.is_set():
            sent[0] += connection.send(b" " * 65536)

    with server(act) as url:
        answer = build(url).transport.client.send("POST", "/receipts", body={})
    assert isinstance(judge(answer, changes=True), MaybeSent)
    assert 1 << 20 < sent[0] < 16 << 20, "a mebibyte, and what the two sockets hold"


@pytest.mark.parametrize(
    "body", [b'{"id": 1, "id": 2}', b"NaN", b'{"a": -Infinity}', b'"\\ud800"', b'{"\\uDFFF": 1}', b"[" * 100_000]
)
def test_json_that_python_alone_would_take_is_no_answer(build: Callable[..., Any], body: bytes) -> None:
    """Duplicate keys, NaN, half of a surrogate pair, and the depth at which it raises no ValueError."""
    with server(answers(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)) as url:
        answer = build(url).transport.client.send("GET", "/contacts/id")
    assert (answer.kind, answer.value) == ("other", None)


@pytest.mark.parametrize("body", [b"1e400", b'"\\ud83d\\ude00"', b'{"a": 1.10}'])
def test_json_with_large_numbers_and_whole_pairs_is_an_answer(build: Callable[..., Any], body: bytes) -> None:
    with server(answers(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)) as url:
        answer = build(url).transport.client.send("GET", "/contacts/id")
    assert answer.kind == "json"


def test_a_redirect_is_never_followed(build: Callable[..., Any]) -> None:
    visited: list[bytes] = []

    def other(connection: socket.socket, _: threading.Event) -> None:
        visited.append(read_request(connection))

    with server(other) as elsewhere:
        head = f"HTTP/1.1 301 Moved\r\nLocation: {elsewhere}/x\r\nContent-Length: 0\r\n\r\n"
        with server(answers(head.encode())) as url:
            outcome = build(url).transport.probe()
    assert isinstance(outcome, Misconfigured)
    assert visited == []


def test_what_is_sent_and_what_is_never_logged(build: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """Keys, e-mails and phone numbers of an address, at level DEBUG, in log and exception text."""
    caplog.set_level(logging.DEBUG)
    seen: list[bytes] = []

    def act(connection: socket.socket, _: threading.Event) -> None:
        seen.append(read_request(connection))
        connection.sendall(OK + b"Content-Length: 1\r\n\r\n7")
        seen.append(read_request(connection))

    with server(act) as url:
        client = build(url).transport.client
        client.send("GET", "/contacts/id", query={"email": "a+b@x.se", "mobilePhone": "+467"})
        outcome = client.send("POST", "/receipts", body={"email": "secret@x.se"})
    get, post = (raw.decode() for raw in seen)
    assert get.startswith("GET /api/v3/contacts/id?email=a%2Bb%40x.se&mobilePhone=%2B467 HTTP/1.1\r\n")
    assert "apikey: test-key" in get
    assert "User-Agent: tillpost/" in get
    assert "Content-Type: application/json" in post
    assert isinstance(outcome, MaybeSent)
    for text in (caplog.text, repr(outcome)):
        assert "x.se" not in text
        assert "test-key" not in text
        assert "%2B" not in text


NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 400, 3600.0),
        ("999999", 3600.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Tue, 99 Nov 2023 22:13:50 GMT", None),
        ("٣", None),
    ],
)
def test_a_retry_after_of_any_kind_is_survived(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "changes", "expected"),
    [
        (204, True, "Delivered"),
        (302, True, "Misconfigured"),
        (400, True, "Refused"),
        (403, True, "Misconfigured"),
        (405, True, "Misconfigured"),
        (408, True, "NotSent"),
        (409, True, "Refused"),
        (410, True, "Misconfigured"),
        (413, True, "Refused"),
        (422, True, "Refused"),
        (429, True, "Throttled"),
        (500, True, "NotSent"),
        (502, True, "MaybeSent"),
        (502, False, "NotSent"),
        (503, True, "NotSent"),
        (504, True, "MaybeSent"),
        (599, True, "MaybeSent"),
    ],
)
def test_a_status_means_what_the_table_says(status: int, changes: bool, expected: str) -> None:
    answer = Answer(status=status, kind="empty", retry_after=3.0)
    assert type(judge(answer, changes=changes)).__name__ == expected


@pytest.mark.parametrize(
    "url",
    [
        "tenant.voyado.com",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x/?a=1",
        "https://x/api/v3",
        "http://x:99999",
    ],
)
def test_an_address_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url must"):
        TransportSettings(url=url, api_key=Secret("k"))


def test_a_key_with_a_line_end_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        TransportSettings(url="https://x", api_key=Secret("top\nsecret", "env K"))
    assert "secret" not in str(caught.value)


def test_a_resolver_without_a_transport_is_a_finding() -> None:
    with pytest.raises(ConfigurationError) as caught:
        plugin.build([Use("resolve", ResolveSettings())], None)  # type: ignore[arg-type]
    assert caught.value.findings[0].key == "resolve"


def test_a_request_for_a_receipt_carries_its_trace_and_another_none(build: Any) -> None:
    seen: list[str] = []

    def act(connection: socket.socket, _: threading.Event) -> None:
        while len(seen) < 3:
            seen.append(read_request(connection).decode())
            connection.sendall(OK + b"Content-Length: 1\r\n\r\n7")

    with server(act) as url:
        client = build(url).transport.client
        with working_on("shop", "r-1"):
            client.send("GET", "/contacts/id", query={"email": "a@b.se"})
            client.send("POST", "/receipts", body={})
        client.send("GET", "/contacts/count")
    traces = [re.findall(r"^traceparent: 00-([0-9a-f]{32})-[0-9a-f]{16}-01\r$", raw, re.M) for raw in seen]
    assert traces == [[trace_id("r-1")], [trace_id("r-1")], []]

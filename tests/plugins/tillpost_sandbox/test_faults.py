"""Each fault, seen from the client's socket, and what it did to the state."""

import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

if TYPE_CHECKING:
    from tests.plugins.tillpost_sandbox.conftest import Client

SAVE = "/api/v3/receipts"
FIND = "/api/v3/contacts/id?email=a@b.se"


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("429", 429), ("401", 401), ("404", 404)])
def test_an_error_status_changes_nothing_and_ends_after_its_count(
    client: "Client", receipt: Any, kind: str, status: int
) -> None:
    client.contact(email="a@b.se")
    client.faults(http=kind, count=2)
    replies = [client.send("POST", SAVE, receipt()) for _ in range(3)]
    assert [reply.status for reply in replies] == [status, status, 202]
    assert ("retry-after" in replies[0].headers) is (kind == "429")
    assert client.control("GET", "stats")["queued"] == 1
    assert client.control("GET", "stats")["requests"]["fault"] == {kind: 2}


@pytest.mark.parametrize("value", ["soon", "-5", "99999999999999", None])
def test_a_429_carries_any_retry_after(client: "Client", value: str | None) -> None:
    client.faults(http="429", retry_after=value)
    assert client.send("GET", FIND).headers.get("retry-after") == value


def test_a_page_and_a_redirect(client: "Client") -> None:
    client.faults(http="redirect")
    reply = client.send("GET", FIND)
    assert (reply.status, reply.headers["location"]) == (301, "http://elsewhere.invalid/")
    client.faults(http="html")
    answer = client.pool.request("GET", client.sandbox.url + FIND)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.data.startswith(b"<!doctype html>")


def test_refuse_closes_the_port_and_kept_connections_but_not_the_control(client: "Client") -> None:
    kept = http.client.HTTPConnection("127.0.0.1", client.sandbox.http_port, timeout=10)
    kept.request("GET", FIND, headers={"apikey": "test-key"})
    assert kept.getresponse().read()
    client.faults(http="refuse")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", client.sandbox.http_port), timeout=5)
    assert kept.sock is not None
    assert kept.sock.recv(1) == b""
    kept.close()
    assert client.control("GET", "faults")["http"] == "refuse"
    client.faults(http="refuse")
    client.faults(http="ok")
    assert client.send("GET", FIND).status == 404


def test_refuse_may_be_asked_on_the_very_port_it_closes(client: "Client") -> None:
    reply = client.send("POST", "/_sandbox/faults", {"http": "refuse"})
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        client.send("GET", FIND)


def test_reset_after_body_takes_effect_and_resets(client: "Client", receipt: Any) -> None:
    client.faults(http="reset-after-body", count=1)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        client.send("POST", SAVE, receipt())
    assert isinstance(caught.value.args[1], ConnectionResetError)
    assert client.control("GET", "stats")["queued"] == 1
    assert client.send("GET", FIND).status == 404


def test_half_takes_effect_and_breaks_the_answer_off(client: "Client") -> None:
    client.faults(http="half", count=1)
    with pytest.raises(urllib3.exceptions.ProtocolError, match="IncompleteRead"):
        client.send("POST", "/api/v3/contacts", {"email": "a@b.se"})
    assert client.send("GET", FIND).status == 200


def test_slow_answers_byte_by_byte(client: "Client") -> None:
    client.faults(http="slow", drip=0.001, count=1)
    started = time.monotonic()
    reply = client.send("POST", "/api/v3/contacts", {"email": "a@b.se"})
    assert reply.status == 201
    assert time.monotonic() - started > 0.2


def test_hang_never_answers_and_changes_nothing(client: "Client", receipt: Any) -> None:
    client.faults(http="hang")
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.pool.request(
            "POST",
            client.sandbox.url + SAVE,
            json=receipt(),
            headers={"apikey": "test-key"},
            timeout=0.3,
            retries=False,
        )
    ended: list[Exception] = []

    def wait() -> None:
        try:
            client.send("POST", SAVE, receipt())
        except urllib3.exceptions.ProtocolError as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = time.monotonic() + 10
    while client.control("GET", "stats")["requests"].get("fault") != {"hang": 2}:
        assert time.monotonic() < deadline
    assert waiting.is_alive()
    client.faults(http="ok")
    waiting.join(10)
    assert len(ended) == 1
    assert client.control("GET", "stats")["queued"] == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"http": "tired"},
        {"sftp": "500"},
        {"http": "500", "count": 0},
        {"http": "500", "count": True},
        {"http": "refuse", "count": 1},
        {"http": "500", "colour": "red"},
        {"http": "slow", "drip": "x"},
    ],
)
def test_an_unknown_fault_is_refused(client: "Client", wanted: dict[str, Any]) -> None:
    assert client.send("POST", "/_sandbox/faults", wanted).status == 400
    assert client.control("GET", "faults")["http"] == "ok"


@pytest.mark.parametrize(
    "wanted",
    [
        {"import_every": 0},
        {"import_every": True},
        {"rate_limit": 1.5},
        {"duplicates": "both"},
        {"price_basis": ""},
        {"stores": []},
        {"colour": "red"},
    ],
)
def test_a_bad_setting_is_refused(client: "Client", wanted: dict[str, Any]) -> None:
    before = client.control("GET", "settings")
    assert client.send("POST", "/_sandbox/settings", wanted | {"rate_limit": 0}).status == 400
    assert client.send("POST", "/_sandbox/settings", wanted).status == 400
    assert client.control("GET", "settings") == before
    assert "api_keys" not in before


def test_a_rotated_key_shuts_the_old_one_out(client: "Client") -> None:
    client.control("POST", "settings", {"api_keys": ["next"]})
    assert client.send("GET", FIND).status == 401
    assert client.send("GET", FIND, apikey="next").status == 404


def test_over_the_limit_is_429_with_retry_after(client: "Client") -> None:
    client.control("POST", "settings", {"rate_limit": 5})
    replies = [client.send("GET", FIND) for _ in range(8)]
    assert [reply.status for reply in replies] == [404] * 5 + [429] * 3
    assert replies[-1].headers["retry-after"] == "1"
    assert client.control("GET", "stats")["peak_rate"] == 8
    assert client.control("GET", "stats")["requests"]["GET /api/v3/contacts/id"] == {"404": 5, "429": 3}


def test_the_control_port_has_no_api_and_needs_length(client: "Client") -> None:
    assert client.pool.request("GET", client.sandbox.control_url + FIND).status == 404
    assert client.send("GET", "/_sandbox/nothing").status == 404
    with socket.create_connection(("127.0.0.1", client.sandbox.http_port), timeout=5) as raw:
        raw.sendall(b"POST /api/v3/receipts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 411 ")

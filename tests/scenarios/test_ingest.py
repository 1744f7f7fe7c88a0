"""Receipts by HTTP with the real launcher and the real sandbox: 202 is durable, nothing lost, nothing twice."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.ingest import free_port
from tests.support.mounts import fill, tmpfs
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, saved, settled, stop
from tests.support.waiting import until

KEY = "key-of-store-12-for-tests"
FOLDER = 'use = "folder", path = "inbox", settle = "0s", poll = "100ms"'


class Till:
    """A sender that knows HTTP and nothing else."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, body: bytes, key: str = "") -> tuple[int, dict[str, Any]]:
        """Status and answer; raises OSError or HTTPException when there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"X-Api-Key": KEY, "Content-Type": "application/json"}
            connection.request("POST", "/v1/shop/receipts", body, headers | ({"Idempotency-Key": key} if key else {}))
            answer = connection.getresponse()
            return answer.status, json.load(answer)
        finally:
            connection.close()

    def wait(self) -> None:
        """Until somebody listens."""
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except OSError:
                assert time.monotonic() < end, "nobody listens"
                time.sleep(0.1)
            else:
                return


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, own="workers = 2") as opened:
        yield opened


@pytest.fixture
def till(shop: Shop) -> Till:
    """Knows the shop, whose source is changed to one that listens."""
    port = free_port()
    keys = 'keys = { store12 = { env = "STORE12_KEY" } }, room = 0'
    configure(shop, FOLDER, f'use = "ingest", listen = "127.0.0.1:{port}", {keys}')
    shop.environment["STORE12_KEY"] = KEY
    return Till(port)


def body(*numbers: int) -> bytes:
    return document([receipt_of(number, externalId=f"customer-{number % 3}") for number in numbers])


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def test_what_was_answered_survives_a_kill_at_that_moment(shop: Shop, till: Till) -> None:
    process = shop.start()
    till.wait()
    status, first = till.send(body(1, 2), "a-key")
    end(process)
    assert (status, first["accepted"]) == (202, 2)
    process = shop.start()
    till.wait()
    assert till.send(body(1, 2), "a-key") == (202, first)
    assert till.send(body(1, 2)) == (202, first | {"accepted": 0, "duplicates": 2})
    shop.wait_for(settled(2))
    stop(process)
    assert saved(shop) == dict.fromkeys(saved(shop), 1)
    assert len(saved(shop)) == 2


def test_a_kill_among_many_requests_loses_nothing_that_was_answered(shop: Shop, till: Till) -> None:
    """Each sender goes on until it has its 202, under the key it began with, as a till does it."""
    count, senders = 240, 12
    process = shop.start()
    till.wait()
    answered: dict[int, dict[str, Any]] = {}
    before: set[int] = set()
    killed, enough = threading.Event(), threading.Semaphore(0)

    def sender(first: int) -> None:
        for number in range(first, count, senders):
            while True:
                try:
                    status, answer = till.send(body(number), f"key-{number}")
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
                    continue
                assert status in (202, 409), answer
                if status == 202:
                    answered[number] = answer
                    break
            if not killed.is_set():
                before.add(number)
            enough.release()

    with ThreadPoolExecutor(senders) as pool:
        running = [pool.submit(sender, first) for first in range(senders)]
        for _ in range(60):
            assert enough.acquire(timeout=60)
        end(process)
        killed.set()
        process = shop.start()
        for each in running:
            each.result(120)
    assert len(before) >= 60
    assert {answer["accepted"] for answer in answered.values()} == {1}, "none was accepted under two answers"
    again = {number: till.send(body(number), f"key-{number}") for number in range(0, count, 7)}
    assert again == {number: (202, answered[number]) for number in again}
    shop.wait_for(settled(count), 120)
    stop(process)
    assert (len(saved(shop)), set(saved(shop).values())) == (count, {1})


def refuses(port: int) -> bool:
    """Whether nobody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_request_in_flight_at_sigterm_gets_its_answer(shop: Shop, till: Till) -> None:
    process = shop.start()
    till.wait()
    content = body(*range(20))
    head = (
        f"POST /v1/shop/receipts HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", till.port), 30) as raw:
        raw.sendall(head.encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 100 Continue")  # so it waits for the body
        raw.sendall(content[:1000])
        process.send_signal(signal.SIGTERM)
        until(lambda: refuses(till.port), process=process)
        raw.sendall(content[1000:])
        received = raw.recv(65536)
    assert received.startswith(b"HTTP/1.1 202 Accepted"), received
    assert b"Connection: close" in received
    assert process.wait(60) == 0, (shop.folder / "run.log").read_text()
    with pytest.raises(OSError, match="refused"):
        till.send(content)
    assert sum(shop.status()["counts"].values()) == 20


def test_a_full_disk_refuses_and_takes_again_by_itself(shop: Shop, till: Till) -> None:
    with tmpfs(shop.folder / "state", "size=4m"):
        process = shop.start()
        try:
            till.wait()
            assert till.send(body(1))[0] == 202
            filler = fill(shop.folder / "state")
            status, problem = till.send(body(*range(10, 200)), "a-key")
            assert (status, problem["type"]) == (507, "urn:tillpost:problem:disk-full")
            assert "state" not in problem["detail"]
            filler.unlink()
            status, answer = till.send(body(*range(10, 200)), "a-key")
            assert (status, answer["accepted"]) == (202, 190)
            assert process.poll() is None
            shop.wait_for(settled(191))
            stop(process)
        finally:
            process.kill()
            process.wait()
    assert "no room on the disk" in (shop.folder / "run.log").read_text()


def test_near_the_end_of_the_disk_senders_are_told_to_wait(shop: Shop, till: Till) -> None:
    configure(shop, "room = 0", f"room = {1 << 60}")
    process = shop.start()
    till.wait()
    status, problem = till.send(body(1))
    assert (status, problem["type"]) == (429, "urn:tillpost:problem:busy")
    stop(process)
    assert sum(shop.status()["counts"].values()) == 0


def test_an_address_that_is_taken_is_told_and_tried_again(shop: Shop, till: Till) -> None:
    with socket.create_server(("127.0.0.1", till.port)):
        process = shop.start()
        stop_at = time.monotonic() + 60
        while "Address already in use" not in (shop.folder / "run.log").read_text():
            assert time.monotonic() < stop_at
            time.sleep(0.1)
    till.wait()
    assert till.send(body(1))[0] == 202
    stop(process)


def test_until_idle_ends_when_nothing_is_being_accepted(shop: Shop, till: Till) -> None:
    assert shop.tillpost("check", "--offline").returncode == 0
    done = shop.tillpost("run", "--until-idle")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_key_and_no_personal_data_in_the_log(shop: Shop, till: Till) -> None:
    process = shop.start()
    till.wait()
    assert till.send(b"[" + body(1).strip() + b", eva@example.com secret-word")[0] == 422
    assert till.send(body(1))[0] == 202
    shop.wait_for(settled(1))
    stop(process)
    log = (shop.folder / "run.log").read_text()
    assert "store12/" in log, "what could not be read is told"
    assert not any(word in log for word in (KEY, "eva@", "secret-word", "customer-1", "Traceback"))

"""Killed, and then put back to a backup older than the kill: what each source lost is told, and comes again once."""

from __future__ import annotations

import signal
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.amqp import source_of
from tests.support.ingest import free_port
from tests.support.rabbitmq import rabbitmq
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, saved, settled, stop
from tests.support.waiting import until

FOLDER = 'use = "folder", path = "inbox", settle = "0s", poll = "100ms"'
KEY = "key-of-store-12-for-tests"
Send = Callable[[int], object]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path / "shop", own="workers = 2") as opened:
        yield opened


def sender(source: str, shop: Shop, stack: ExitStack, tmp_path: Path) -> tuple[Send, Send]:
    """Configure the source; how a receipt is sent, and how it is sent again."""
    if source == "amqp":
        broker = stack.enter_context(rabbitmq(tmp_path / "broker"))
        broker.declare("receipts")
        configure(shop, FOLDER, f'use = "amqp", {source_of(broker, "receipts")}')
        send: Send = lambda number: broker.send("receipts", body(number))  # noqa: E731 - two ways to send
        return send, send
    if source == "ingest":
        port = free_port()
        keys = 'keys = { store12 = { env = "STORE12_KEY" } }, room = 0'
        configure(shop, FOLDER, f'use = "ingest", listen = "127.0.0.1:{port}", {keys}')
        shop.environment["STORE12_KEY"] = KEY

        def post(number: int) -> None:
            headers = {"X-Api-Key": KEY, "Content-Type": "application/json", "Idempotency-Key": f"key-{number}"}
            until(lambda: listens(port))
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/shop/receipts", body(number), headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 202

        return post, post

    def back(number: int) -> None:
        (shop.inbox / "done" / f"{number}.jsonl").rename(shop.inbox / f"{number}.jsonl")

    return lambda number: shop.put(f"{number}.jsonl", body(number)), back


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def body(number: int) -> bytes:
    return document([receipt_of(number, externalId=f"customer-{number % 3}")])


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("source", ["folder", "ingest", "amqp"])
def test_after_a_kill_and_an_older_backup_what_is_sent_again_is_there_once(
    source: str, shop: Shop, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        send, again = sender(source, shop, stack, tmp_path)
        process = shop.start()
        for number in (1, 2):
            send(number)
        shop.wait_for(settled(2))
        assert shop.tillpost("journal", "backup", str(tmp_path / "night.db")).returncode == 0
        for number in (3, 4, 5):
            send(number)
        shop.wait_for(lambda stand: sum(stand["counts"].values()) == 5)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        done = shop.tillpost("journal", "restore", str(tmp_path / "night.db"), "--replace")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is missing (3 receipts, which " in done.stdout
        assert shop.tillpost("journal", "losses").returncode == 1
        process = shop.start()
        for number in (3, 4, 5):
            again(number)
        shop.wait_for(settled(5))
        stop(process)
        assert shop.tillpost("journal", "losses", "--settle").returncode == 0
    assert (len(saved(shop)), set(saved(shop).values())) == (5, {1})

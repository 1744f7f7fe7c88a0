"""A queue of RabbitMQ with the real launcher: killed, and without its broker, nothing is lost and nothing twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.amqp import source_of
from tests.support.rabbitmq import Broker, rabbitmq
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, saved, settled, stop
from tests.support.waiting import until

FOLDER = 'use = "folder", path = "inbox", settle = "0s", poll = "100ms"'
QUEUE = "receipts"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path / "shop", own="workers = 2") as opened:
        yield opened


def reads(shop: Shop, broker: Broker) -> None:
    configure(shop, FOLDER, f'use = "amqp", {source_of(broker, QUEUE)}, poll = "100ms"')


def messages(*numbers: int) -> list[bytes]:
    return [document([receipt_of(number, externalId=f"customer-{number % 3}")]) for number in numbers]


def recorded(stand: dict[str, Any]) -> int:
    return sum(stand["counts"].values())


def test_a_kill_among_many_messages_loses_nothing_and_doubles_nothing(shop: Shop, tmp_path: Path) -> None:
    count = 200
    with rabbitmq(tmp_path / "broker") as broker:
        broker.declare(QUEUE)
        reads(shop, broker)
        process = shop.start()
        broker.send(QUEUE, *messages(*range(count // 2)))
        shop.wait_for(lambda stand: recorded(stand) >= 20)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        broker.send(QUEUE, *messages(*range(count // 2, count), *range(0, count, 7)))
        process = shop.start()
        shop.wait_for(settled(count), 120)
        until(lambda: broker.count(QUEUE) == 0, process=process)
        stop(process)
        assert broker.count(QUEUE) == 0, "what was committed was acknowledged"
    assert (len(saved(shop)), set(saved(shop).values())) == (count, {1})


def test_a_broker_that_is_away_is_told_and_read_again_by_itself(shop: Shop, tmp_path: Path) -> None:
    with rabbitmq(tmp_path / "broker") as broker:
        broker.declare(QUEUE)
        reads(shop, broker)
        broker.send(QUEUE, *messages(1))
        process = shop.start()
        shop.wait_for(settled(1))
    shop.wait_for(lambda stand: stand["sources"][0]["state"] == "failing")
    log = (shop.folder / "run.log").read_text()
    assert f"source amqp: 127.0.0.1:{broker.port}" in log or f"connection refused by 127.0.0.1:{broker.port}" in log
    with rabbitmq(tmp_path / "broker", broker.port) as again:
        again.send(QUEUE, *messages(2))
        stand = shop.wait_for(settled(2))
        until(lambda: shop.status()["sources"][0]["state"] == "working", process=process)
        stop(process)
    assert recorded(stand) == 2
    assert "Traceback" not in (shop.folder / "run.log").read_text()

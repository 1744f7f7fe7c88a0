"""A queue of RabbitMQ, its reader killed around each commit and at each answer: those answer only what is committed."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.amqp import source_of
from tests.support.program import needed
from tests.support.rabbitmq import Broker, rabbitmq
from tests.support.receipts import document, receipt_of
from tests.support.strace import Steps, around_commits
from tests.support.waiting import until
from tillpost.journal import Journal

COUNT = 4
CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
source    = {{ use = "amqp", {source} }}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = "k", rate = 100 }}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    needed("strace", "strace")
    with rabbitmq(tmp_path / "broker") as started:
        yield started


def prepared(folder: Path, broker: Broker, made: Path | None = None, prefetch: int = 1) -> Path:
    """A configuration that reads the queue of the folder's name; with messages in it when a journal was made."""
    folder.mkdir()
    broker.declare(folder.name)
    if made is not None:  # a journal is made once: its own kills are in test_sweep
        shutil.copytree(made.parent / "state", folder / "state")
        broker.send(folder.name, *(document([receipt_of(number)]) for number in range(COUNT)))
    config = folder / "tillpost.toml"
    config.write_text(CONFIG.format(source=source_of(broker, folder.name, prefetch=prefetch)))
    return config


def waiting(broker: Broker, queue: str) -> int:
    """Messages in the queue, once nobody reads it any more."""
    with broker.channel() as channel:
        until(lambda: not channel.queue_declare(queue, passive=True).method.consumer_count)
    return broker.count(queue)


def numbers(config: Path) -> list[int]:
    journal = Journal(config.parent / "state" / "shop")
    try:
        return sorted(int(each.number) for each in journal.receipts.find({}))
    finally:
        journal.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("every", "prefetch"), [(6, 1), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((1, 1), (2, COUNT)))]
)
def test_a_kill_at_each_commit_and_answer_acknowledges_only_what_is_committed(
    every: int, prefetch: int, tmp_path: Path, broker: Broker, measured: Callable[[str], None]
) -> None:
    """prefetch: with more than one message in hand several are in a commit, and several answers in a packet."""
    hit = Counter[str]()
    with Steps(os.environ) as steps:
        made = prepared(tmp_path / "made", broker)
        assert steps.kill("accept", made, "0", "renameat2", 999).code == 0
        counted = prepared(tmp_path / "counted", broker, made, prefetch)
        calls, ended = steps.count("accept", counted, str(COUNT))
        assert ended.code == 0
        assert (numbers(counted), waiting(broker, "counted")) == (list(range(COUNT)), 0)
        for call, number in around_commits(calls)[::every]:
            config = prepared(tmp_path / f"{call}-{number}", broker, made, prefetch)
            queue = config.parent.name
            killed = steps.kill("accept", config, str(COUNT), call, number)
            hit[call] += killed.killed
            left = waiting(broker, queue)
            assert set(numbers(config)) >= set(range(COUNT - left)), f"{queue}: acknowledged and not in the journal"
            assert steps.kill("accept", config, str(left), "renameat2", 999).code == 0
            assert (numbers(config), waiting(broker, queue)) == (list(range(COUNT)), 0), queue
    measured(f"the source amqp, {prefetch} in hand, was killed at {hit.total()} points ({dict(hit)})")
    assert hit["sendto"] >= 1, "also at its answers to the broker"
    assert hit["fdatasync"] >= (COUNT if every == 1 else 1), "at the sync of each commit"

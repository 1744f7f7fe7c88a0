"""Messages of a real RabbitMQ: acknowledged once they are committed, back in the queue until then, and never silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.amqp import Reader, source_of
from tests.support.program import free_ports
from tests.support.rabbitmq import PASSWORD, USER, Broker
from tests.support.receipts import receipt
from tests.support.waiting import until
from tillpost.compose.standalone import standalone_hooks
from tillpost.errors import Busy, ConfigurationError, JournalFull, PluginError
from tillpost.journal import DocumentState
from tillpost.journal.tables.documents import IN_JOURNAL, LARGEST_KEPT
from tillpost.model import Delivered, Document, Misconfigured, NotSent, Throttled
from tillpost.model.receipt_json import dumps
from tillpost_amqp import plugin

ONE, TWO = dumps(receipt()), dumps(receipt(number="2"))


def in_queue(broker: Broker, queue: str) -> tuple[int, int]:
    """Messages that wait, and those somebody has in hand."""
    rows = broker.control(
        "-q", "list_queues", "--no-table-headers", "name", "messages_ready", "messages_unacknowledged"
    )
    (found,) = [row.split() for row in rows.splitlines() if row.split()[:1] == [queue]]
    return int(found[1]), int(found[2])


# What is committed is acknowledged, and nothing else


def test_messages_are_committed_and_acknowledged(broker: Broker, queue: str, tmp_path: Path) -> None:
    broker.send(queue, ONE)
    with Reader(tmp_path, source_of(broker, queue)) as reader:
        broker.send(queue, TWO, b"\n".join(dumps(receipt(str(number))) for number in range(3, 6)))
        until(lambda: reader.numbers() == ["1", "2", "3", "4", "5"])
        assert reader.stop() is None
        names = [entry.name for entry in reader.journal.documents.newest(9)]
        assert all(name.startswith(f"{queue}/") for name in names)
    assert in_queue(broker, queue) == (0, 0)


def test_a_message_is_in_hand_until_its_receipts_are_committed(broker: Broker, queue: str, tmp_path: Path) -> None:
    taken, release = threading.Event(), threading.Event()
    with Reader(tmp_path, source_of(broker, queue)) as reader:
        served = reader.accept

        def slow(document: Document) -> Mapping[str, int]:
            taken.set()
            assert release.wait(60)
            counts: Mapping[str, int] = served(document)
            return counts

        reader.accept = slow
        broker.send(queue, ONE)
        assert taken.wait(60)
        assert in_queue(broker, queue) == (0, 1)
        release.set()
        until(lambda: in_queue(broker, queue) == (0, 0))
        assert reader.numbers() == ["1"]


def test_a_stop_ends_what_is_in_hand_and_leaves_the_rest(broker: Broker, queue: str, tmp_path: Path) -> None:
    taken, release = threading.Semaphore(0), threading.Event()
    with Reader(tmp_path, source_of(broker, queue, prefetch=3)) as reader:
        served = reader.accept

        def slow(document: Document) -> Mapping[str, int]:
            taken.release()
            assert release.wait(60)
            counts: Mapping[str, int] = served(document)
            return counts

        reader.accept = slow
        broker.send(queue, *(dumps(receipt(str(number))) for number in range(10)))
        for _ in range(3):
            assert taken.acquire(timeout=60)
        reader.stopping.set()
        release.set()
        assert reader.ended() is None
        accepted = len(reader.numbers())
    # What is acknowledged before the stop is seen makes room for others.
    assert 3 <= accepted < 10
    assert in_queue(broker, queue) == (10 - accepted, 0)


def test_a_connection_that_is_lost_between_commit_and_acknowledgement_brings_nothing_twice(
    broker: Broker, queue: str, tmp_path: Path
) -> None:
    source = source_of(broker, queue)
    with Reader(tmp_path, source) as reader:
        served, both = reader.accept, threading.Barrier(2)

        def cut(document: Document) -> Mapping[str, int]:
            counts: Mapping[str, int] = served(document)
            if both.wait(60) == 0:
                broker.control("close_all_connections", "a test")
            both.wait(60)
            return counts

        reader.accept = cut
        broker.send(queue, ONE, TWO)
        answer = reader.ended()
        assert isinstance(answer, NotSent)
        assert "127.0.0.1" in answer.reason
        assert reader.numbers() == ["1", "2"]
    assert in_queue(broker, queue) == (2, 0), "none was acknowledged"
    with Reader(tmp_path, source) as reader:
        until(lambda: in_queue(broker, queue) == (0, 0))
        assert reader.numbers() == ["1", "2"]
        assert [entry.again for entry in reader.journal.documents.newest(2)] == [1, 1]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(Busy("the backlog is at its limit", 30.0), Throttled), (JournalFull("no room on the disk"), NotSent)],
)
def test_what_cannot_be_committed_stays_in_the_queue(
    broker: Broker, queue: str, tmp_path: Path, error: Exception, kind: type
) -> None:
    with Reader(tmp_path, source_of(broker, queue)) as reader:

        def refuse(document: Document) -> Mapping[str, int]:
            raise error

        reader.accept = refuse
        broker.send(queue, ONE)
        answer = reader.ended()
        assert isinstance(answer, kind)
        assert answer.reason == str(error)  # type: ignore[attr-defined]
        assert getattr(answer, "retry_after", None) == getattr(error, "after", None)
    assert in_queue(broker, queue) == (1, 0)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe{", b"\xff\xfe" * LARGEST_KEPT], ids=["empty", "short", "large"])
def test_a_message_that_cannot_be_read_is_kept_and_does_not_come_round_for_ever(
    broker: Broker, queue: str, tmp_path: Path, body: bytes
) -> None:
    broker.send(queue, body, ONE)
    with Reader(tmp_path, source_of(broker, queue)) as reader:
        until(lambda: in_queue(broker, queue) == (0, 0))
        (aside,) = reader.journal.documents.open()
        assert (aside.state, aside.place) == (DocumentState.SET_ASIDE, IN_JOURNAL)
        assert reader.journal.documents.content(aside.seq) == body
        assert reader.numbers() == ["1"]


@pytest.mark.parametrize("error", [PluginError("receipts", "a fault of the adapter"), OSError(5, "a fault")])
def test_a_fault_with_one_message_is_tried_again_while_the_others_go_on(
    broker: Broker, queue: str, tmp_path: Path, error: Exception
) -> None:
    with Reader(tmp_path, source_of(broker, queue)) as reader:
        served, failures = reader.accept, [error, error]

        def failing(document: Document) -> Mapping[str, int]:
            if document.content == ONE and failures:
                raise failures.pop()
            counts: Mapping[str, int] = served(document)
            return counts

        reader.accept = failing
        broker.send(queue, ONE, TWO)
        until(lambda: in_queue(broker, queue) == (0, 0))
        assert (reader.numbers(), reader.clock.waited) == (["1", "2"], [1.0, 2.0])


def test_an_error_nobody_foresaw_ends_the_source_and_is_not_kept_by_a_thread(
    broker: Broker, queue: str, tmp_path: Path
) -> None:
    with Reader(tmp_path, source_of(broker, queue)) as reader:

        def failing(document: Document) -> Mapping[str, int]:
            raise RuntimeError("a fault nobody foresaw")

        reader.accept = failing
        broker.send(queue, ONE)
        assert isinstance(reader.ended(), NotSent)
    assert in_queue(broker, queue) == (1, 0)


# Queues and exchanges


def test_a_queue_is_made_and_bound_by_its_keys(broker: Broker, tmp_path: Path) -> None:
    with broker.channel() as channel:
        channel.exchange_declare("sales", "topic", durable=True)
    source = source_of(broker, "crm", exchange="sales", keys=["sale.#", "return.*"])
    for _ in range(2):  # the second time they are there
        with Reader(tmp_path, source):
            pass
    with broker.channel() as channel:
        for key, number in (("sale.se.12", 1), ("return.12", 2), ("return.se.12", 3), ("stock", 4)):
            channel.basic_publish("sales", key, dumps(receipt(str(number))))
    with Reader(tmp_path, source) as reader:
        until(lambda: reader.numbers() == ["1", "2"])
        assert in_queue(broker, "crm") == (0, 0)
    broker.control("stop_app"), broker.control("start_app")
    assert in_queue(broker, "crm") == (0, 0), "the queue is durable"


def test_a_queue_that_is_there_is_used_as_it_is(broker: Broker, tmp_path: Path) -> None:
    with broker.channel() as channel:
        channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    broker.send("quorum", ONE)
    with Reader(tmp_path, source_of(broker, "quorum", exchange="amq.topic")) as reader:
        until(lambda: reader.numbers() == ["1"])


def test_tls_with_the_broker_s_certificate(broker: Broker, queue: str, tmp_path: Path) -> None:
    broker.send(queue, ONE)
    with Reader(tmp_path, source_of(broker, queue, port=broker.tls, tls=True, ca=broker.ca)) as reader:
        until(lambda: reader.numbers() == ["1"])


# What is wrong is said


def probed(folder: Path, broker: Broker, name: str, **settings: Any) -> Any:
    """What the probe answers, and `serve_documents` with it."""
    given = {"host": "127.0.0.1", "port": broker.port, "tls": False, "user": USER, "password": PASSWORD, "queue": name}
    hooks = standalone_hooks("amqp", plugin, {"source": given | settings}, folder=folder)
    answer = hooks.probe_source()
    stopping = threading.Event()
    stopping.set()
    assert hooks.serve_documents(lambda document: {}, stopping) == (None if answer == Delivered() else answer)
    return answer


def test_a_check_takes_no_message(broker: Broker, queue: str, tmp_path: Path) -> None:
    broker.send(queue, ONE)
    assert probed(tmp_path, broker, queue) == Delivered()
    assert in_queue(broker, queue) == (1, 0)


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"password": "a-wrong-one"}, Misconfigured, "refuses user 'till' or the password"),
        ({"user": "nobody"}, Misconfigured, "refuses user 'nobody' or the password"),
        ({"vhost": "other"}, Misconfigured, "gives user 'till' no access to vhost 'other'"),
        ({"queue": "nowhere"}, Misconfigured, "has no queue 'nowhere' in vhost '/'"),
        ({"exchange": "nowhere"}, Misconfigured, "has no exchange 'nowhere' in vhost '/'"),
        ({"user": "guest", "password": "guest"}, Misconfigured, "refuses user 'guest'"),
        ({"host": "no-such-host.invalid"}, NotSent, "host name not found: no-such-host.invalid"),
    ],
)
def test_a_wrong_setting_is_named(
    broker: Broker, queue: str, tmp_path: Path, settings: dict[str, Any], kind: type, words: str
) -> None:
    answer = probed(tmp_path, broker, queue, **settings)
    assert isinstance(answer, kind)
    assert words in answer.reason  # type: ignore[attr-defined]
    assert not any(secret in answer.reason for secret in (PASSWORD, "a-wrong-one"))  # type: ignore[attr-defined]


def test_a_missing_right_is_named(broker: Broker, queue: str, tmp_path: Path) -> None:
    broker.control("add_user", "reader", "the-password-of-a-reader")
    login = {"user": "reader", "password": "the-password-of-a-reader"}
    answer = probed(tmp_path, broker, queue, **login)
    assert isinstance(answer, Misconfigured)
    assert "no access to vhost '/'" in answer.reason
    broker.control("set_permissions", "reader", "^$", "^$", "^$")
    with Reader(tmp_path, source_of(broker, queue, **login)) as reader:
        answer = reader.ended()
    assert isinstance(answer, Misconfigured)
    assert f"user 'reader' may not read queue '{queue}'" in answer.reason
    broker.control("set_permissions", "reader", "^$", "^$", ".*")
    with Reader(tmp_path, source_of(broker, queue, **login)) as reader:
        broker.send(queue, ONE)
        until(lambda: reader.numbers() == ["1"])


def test_a_certificate_nobody_vouches_for_is_named(broker: Broker, queue: str, tmp_path: Path) -> None:
    answer = probed(tmp_path, broker, queue, port=broker.tls, tls=True)
    assert isinstance(answer, NotSent)
    assert f"the certificate of 127.0.0.1:{broker.tls} is not trusted" in answer.reason


def test_nobody_there_and_somebody_else_there(broker: Broker, queue: str, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    answer = probed(tmp_path, broker, queue, port=port)
    assert answer == NotSent(reason=f"connection refused by 127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        answer = probed(tmp_path, broker, queue, port=port, timeout="200ms")
    assert answer == NotSent(reason=f"no answer from 127.0.0.1:{port} within 0.2 s")
    with somebody(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        answer = probed(tmp_path, broker, queue, port=port)
    assert isinstance(answer, NotSent)
    assert f"127.0.0.1:{port}" in answer.reason


@contextmanager
def somebody(says: bytes) -> Iterator[int]:
    """A server that says something else to whoever comes; its port."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.recv(64)
                connection.sendall(says)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_queue_that_is_deleted_while_it_is_read_is_told(broker: Broker, queue: str, tmp_path: Path) -> None:
    """The connection stays open then, and nothing would ever come again."""
    with Reader(tmp_path, source_of(broker, queue)) as reader:
        with broker.channel() as channel:
            channel.queue_delete(queue)
        answer = reader.ended()
    assert isinstance(answer, NotSent)
    assert f"queue '{queue}' was deleted" in answer.reason


def test_another_program_that_reads_the_queue_alone_is_told_as_that(broker: Broker, queue: str, tmp_path: Path) -> None:
    """The broker refuses it like a missing right, and no right would help."""
    with broker.channel() as channel:
        channel.basic_consume(queue, lambda *_: None, exclusive=True)
        with Reader(tmp_path, source_of(broker, queue)) as reader:
            answer = reader.ended()
    assert isinstance(answer, NotSent)
    assert "is read by another program that wants it alone" in answer.reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "amqp://mq.example.com"}, "a name or an address"),
        ({"queue": ""}, "1 to 255 bytes"),
        ({"queue": "q" * 256}, "1 to 255 bytes"),
        ({"keys": []}, "one or more routing keys"),
        ({"prefetch": 0}, "from 1 to 10000"),
        ({"port": 0}, "from 1 to 65535"),
        ({"tls": False, "ca": "ca.pem"}, "ca is for tls"),
        ({"timeout": "0s"}, "over 0"),
    ],
)
def test_wrong_settings_are_findings(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    given = {"host": "mq.example.com", "user": USER, "password": PASSWORD, "queue": "receipts"}
    with pytest.raises(ConfigurationError, match=words) as caught:
        standalone_hooks("amqp", plugin, {"source": given | settings}, folder=tmp_path)
    assert PASSWORD not in str(caught.value)

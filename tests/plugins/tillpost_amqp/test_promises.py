"""The promise suite of a source, on a queue of RabbitMQ behind a proxy that breaks connections.

What is in hand cannot be seen in a queue, so the suite is not told what is left; test_source.py looks at that.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.program import free_ports
from tests.support.rabbitmq import PASSWORD, Broker
from tests.support.tcp_proxy import Proxy, Way
from tillpost.testing import FakeOrigin, SourceSuite

_QUEUES = count(1)
LARGE = 40_000
"""Bytes of a message of which a part arrives."""


class TestAmqp(SourceSuite):
    plugin = "amqp"
    secrets = (PASSWORD,)
    waivers: ClassVar[dict[str, str]] = {
        "throttled": "AMQP 0-9-1 has no such answer",
        "origin_failed": "a broker that fails closes the connection, as in `cut`",
    }

    @pytest.fixture(autouse=True)
    def _use(self, broker: Broker) -> None:
        self._broker = broker

    @contextmanager
    def origin(self, fault: str, folder: Path) -> Iterator[FakeOrigin]:
        broker, name = self._broker, f"suite-{next(_QUEUES)}"
        (port,) = free_ports(1)
        user, password = "till", PASSWORD
        broker.declare(name)
        if fault == "key":
            user = name
            broker.control("add_user", user, "another password")
            broker.control("set_permissions", user, ".*", ".*", ".*")
        other = _Page(port) if fault == "page" else None
        proxies: list[Proxy] = []

        def open_proxy() -> Proxy:
            proxies.append(Proxy([(port, broker.port)]))
            proxies[0].accept()
            return proxies[0]

        if other is None:
            proxy = open_proxy()
            if fault == "refuse":
                proxy.refuse()
            if fault == "cut":
                proxy.down = Way(after=LARGE // 2)

        def heal() -> None:
            if fault == "key":
                broker.control("change_password", user, password)
            if other is not None:
                other.close()
                open_proxy()
            proxies[0].heal()

        def add(*numbers: str) -> None:
            broker.send(name, " ".join(numbers).encode() + b" " * (LARGE if fault == "cut" else 0))

        try:
            yield FakeOrigin(
                uses={
                    "host": "127.0.0.1", "port": port, "tls": False, "user": user, "password": password,
                    "queue": name, "timeout": "10s",
                },
                add=add,
                heal=heal,
            )  # fmt: skip
        finally:
            for proxy in proxies:
                proxy.__exit__()
            if other is not None:
                other.close()


class _Page:
    """Says what a web server says, to whoever comes."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection:
                    connection.recv(64)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        """End it; the port is free then."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

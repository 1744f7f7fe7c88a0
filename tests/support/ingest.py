"""The source `ingest` on a real journal, with its own server on a real socket; nothing behind it delivers."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Self

import attrs

from tests.support.lines import make_line
from tests.support.program import free_ports
from tests.support.receipts import receipt
from tillpost.compose.config import load
from tillpost.compose.pipeline import compose, unlimited
from tillpost.flow.intake.served_source import ServedSource
from tillpost.flow.limits import SourcePolicy
from tillpost.journal import Journal
from tillpost.model.receipt_json import dumps

NOW = 1_780_000_000.0
KEY = "key-of-store-12-for-tests"
CONFIG = """
[pipelines.{name}]
source = {{ use = "ingest", listen = "{listen}", {settings} }}
adapter = {{ {adapter} }}
resolve = [ {{ use = "known" }} ]
map = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = "none" }}
"""


def free_port() -> int:
    """A port nobody listens on, and the system gives to no connection meanwhile."""
    return free_ports(1)[0]


class Clock:
    """Wall time that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        return stop.wait(seconds)


@attrs.frozen
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any


class Ingest:
    """A pipeline that serves while it is entered."""

    def __init__(
        self,
        folder: Path,
        settings: str = f'keys = {{ store12 = "{KEY}" }}',
        name: str = "shop",
        port: int = 0,
        policy: SourcePolicy | None = None,
        adapter: str = 'use = "receipts"',
    ) -> None:
        self.port = port or free_port()
        self.clock = Clock()
        self.stopping = threading.Event()
        file = folder / f"{name}.toml"
        file.write_text(CONFIG.format(name=name, listen=f"127.0.0.1:{self.port}", settings=settings, adapter=adapter))
        config = load(file)
        pipeline = compose(config, config.pipelines[0], clock=self.clock, random=Random(1), budget=unlimited)
        self.path = f"/v1/{name}/receipts"
        self.journal = Journal(pipeline.config.state)
        source, retry = pipeline.config.source, pipeline.config.retry
        self.line = make_line(self.journal, pipeline.hooks, name=name, clock=self.clock, source=source, retry=retry)
        self.served = ServedSource(self.line, policy or pipeline.config.source, self.stopping)
        self.accept: Any = self.served
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        try:
            self.line.hooks.serve_documents(lambda document: self.accept(document), self.stopping)
        except BaseException as error:  # noqa: BLE001 - raised where the test waits
            self.error = error

    def __enter__(self) -> Self:
        self._thread.start()
        end = time.monotonic() + 30
        while self._thread.is_alive():
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return self
            except ConnectionRefusedError:
                assert time.monotonic() < end
                time.sleep(0.02)
        assert self.error is not None
        raise self.error

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.journal.close()

    def stop(self) -> None:
        """As SIGTERM does it; returns when the source has returned."""
        self.stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        if context is not None:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def send(
        self,
        body: bytes = b"",
        method: str = "POST",
        path: str = "",
        connection: http.client.HTTPConnection | None = None,
        **headers: Any,
    ) -> Reply:
        """One request, on a connection of its own unless one is given. `_` in a header's name is a hyphen."""
        used = connection or self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/json", "X-Api-Key": KEY} | named
        try:
            used.request(method, path or self.path, body, {name: value for name, value in sent.items() if value})
            answer = used.getresponse()
            content = answer.read()
            return Reply(answer.status, dict(answer.getheaders()), json.loads(content) if content else None)
        finally:
            if connection is None:
                used.close()

    def ids(self) -> list[str]:
        """The numbers of the receipts in the journal."""
        return [entry.number for entry in self.journal.receipts.find({})]


ONE = dumps(receipt())


TWO = dumps(receipt(number="2"))


def problem(reply: Reply, status: int, kind: str) -> dict[str, Any]:
    """The reply is this problem document; its members."""
    assert (reply.status, reply.body["type"]) == (status, f"urn:tillpost:problem:{kind}"), reply
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.body["status"] == status
    assert reply.body["title"]
    assert reply.body["detail"]
    body: dict[str, Any] = reply.body
    return body


@contextmanager
def wire(ingest: Ingest) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", ingest.port), 30) as raw:
        yield raw


HEAD = f"POST /v1/shop/receipts HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n".encode()

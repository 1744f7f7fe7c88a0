"""The promise suite of a source, for one that its senders call; they keep what is not acknowledged."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.support.ingest import KEY, free_port
from tillpost.testing import FakeOrigin, SourceSuite

TAKEN = 202
BAD = 422


class TestIngest(SourceSuite):
    plugin = "ingest"
    called = True
    secrets = (KEY,)

    @contextmanager
    def origin(self, fault: str, folder: Path) -> Iterator[FakeOrigin]:
        port, waiting = free_port(), list[bytes]()
        other = socket.create_server(("127.0.0.1", port)) if fault == "refuse" else None

        def send() -> None:
            for body in list(waiting):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
                with suppress(OSError, http.client.HTTPException), closing(connection):
                    connection.request("POST", "/v1/ingest/receipts", body, headers)
                    if connection.getresponse().status in (TAKEN, BAD):
                        waiting.remove(body)

        try:
            yield FakeOrigin(
                uses={"listen": f"127.0.0.1:{port}", "keys": {"store12": KEY}},
                add=lambda *numbers: waiting.append(" ".join(numbers).encode()),
                left=lambda: list(waiting),
                heal=lambda: other.close() if other else None,
                send=send,
            )
        finally:
            if other is not None:
                other.close()

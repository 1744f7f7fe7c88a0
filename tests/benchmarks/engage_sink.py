"""An Engage that answers and remembers next to nothing: as fast as Python can be, for measuring what speaks to it.

    python -m tests.benchmarks.engage_sink [--delay 0.05] [--silent]

HTTP/1.1 on loopback with kept connections; prints its port. Any contact is found by its key, any receipt is taken with
202, each answer `--delay` seconds after its request; `--silent` takes everything and answers nothing. `GET /_sink`
tells at once what came: receipts, different ids, other requests, and the time from the first receipt to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"uniqueReceiptId": ?"([^"]*)"')


class _Seen:
    def __init__(self, delay: float, silent: bool) -> None:
        self.delay, self.silent = delay, silent
        self.ids: dict[bytes, int] = {}
        self.receipts = self.others = 0
        self.first = self.last = 0.0

    def told(self) -> bytes:
        return json.dumps(
            {
                "receipts": self.receipts,
                "ids": len(self.ids),
                "most": max(self.ids.values(), default=0),
                "others": self.others,
                "seconds": self.last - self.first,
            }
        ).encode()


class _Connection(asyncio.Protocol):
    def __init__(self, seen: _Seen) -> None:
        self._seen = seen
        self._loop = asyncio.get_running_loop()
        self._pending = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._pending, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._pending) < whole:
                return
            request, self._pending = self._pending[:whole], self._pending[whole:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        seen = self._seen
        if request.startswith(b"GET /_sink"):
            self._reply(b"200 OK", seen.told())
            return
        if request.startswith(b"POST /api/v3/receipts"):
            seen.last = time.monotonic()
            seen.first = seen.first or seen.last
            seen.receipts += 1
            name = found[1] if (found := _ID.search(request)) else b""
            seen.ids[name] = seen.ids.get(name, 0) + 1
            status, body = b"202 Accepted", b""
        else:
            seen.others += 1
            target = request.split(b" ", 2)[1]
            by_key = target.startswith(b"/api/v3/contacts/id?")
            status, body = b"200 OK", json.dumps(_guid(target)).encode() if by_key else b"{}"
        if seen.silent:
            return
        if seen.delay:
            self._loop.call_later(seen.delay, self._reply, status, body)
        else:
            self._reply(status, body)

    def _reply(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


def _guid(target: bytes) -> str:
    return f"00000000-0000-4000-8000-{abs(hash(target)) % 10**12:012}"


@attrs.frozen
class Sink:
    """A sink in a process of its own."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self.port}"

    def seen(self) -> dict[str, Any]:
        """What came so far."""
        with urllib.request.urlopen(f"{self.url}/_sink", timeout=30) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


@contextmanager
def sink(delay: float = 0.0, silent: bool = False) -> Iterator[Sink]:
    """A sink for the time of the block."""
    words = [sys.executable, "-m", "tests.benchmarks.engage_sink", "--delay", str(delay)]
    process = subprocess.Popen(words + ["--silent"] * silent, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Sink(int(process.stdout.readline()), process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def _serve(delay: float, silent: bool) -> None:
    seen = _Seen(delay, silent)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(seen), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    parent = os.getppid()
    while os.getppid() == parent:  # ends with the process that started it, however that ended
        await asyncio.sleep(0.5)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--silent", action="store_true")
    given = parser.parse_args()
    asyncio.run(_serve(given.delay, given.silent))


if __name__ == "__main__":
    main()

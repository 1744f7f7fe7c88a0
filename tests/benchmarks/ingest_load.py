"""A load for `ingest`: keep-alive connections in this process, the server in another. Prints one JSON line.

`python -m tests.benchmarks.ingest_load URL --connections 64 --seconds 5 [--rate 500] [--pid PID] [--key KEY]`

Each request is a receipt of its own in the form of the adapter `receipts`. With --rate the requests are sent at fixed
times whatever the answers do, and a request's time counts from when it was due, so that waiting is not hidden; without
it each connection sends as soon as it has its answer. --pid: the server, whose CPU time is read from /proc.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import selectors
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

LINES = 8


def receipts(run: str) -> Iterator[bytes]:
    """Receipts without end, each with another number; about 2.7 KB."""
    lines = [
        {
            "kind": "purchase",
            "sku": f"73{number:011d}",
            "quantity": "1",
            "paid": "12.50",
            "tax_amount": "2.50",
            "tax_percent": "25",
            "article_number": f"A-{number:06d}",
            "article_group": "things",
            "article_name": f"A thing of some kind, number {number} of this receipt",
        }
        for number in range(LINES)
    ]
    total = f"{LINES * 12.5:.2f}"
    form: dict[str, Any] = {
        "number": "", "store": "12", "till": "3", "business_date": "2026-11-20", "created": "2026-11-20T12:00:00+01:00",
        "currency": "SEK", "total": total, "lines": lines, "tenders": [{"type": "card", "amount": total}],
        "customer": {"identifiers": [{"kind": "externalId", "value": "4711"}]},
    }  # fmt: skip
    count = 0
    while True:
        count += 1
        yield json.dumps(form | {"number": f"{run}-{count}"}).encode()


@attrs.define(eq=False)
class _Connection:
    """One connection, with at most one request under way."""

    sock: socket.socket
    since: float = 0.0
    """When the request under way was due."""
    out: bytes = b""
    answer: bytearray = attrs.field(factory=bytearray)

    def send(self, request: bytes, since: float) -> None:
        self.since, self.out = since, request
        self.answer.clear()
        self.push()

    def push(self) -> None:
        while self.out:
            try:
                self.out = self.out[self.sock.send(self.out) :]
            except BlockingIOError:
                return

    def pull(self) -> int:
        """The status once the whole answer is here, else 0. Raises OSError when the server closes."""
        part = self.sock.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.answer += part
        head, end, body = bytes(self.answer).partition(b"\r\n\r\n")
        if not end:
            return 0
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        return int(head.split(b" ", 2)[1]) if len(body) >= length else 0


def _request(host: str, path: str, body: bytes, key: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: Bearer {key}\r\n" if key else ""
    return f"{head}\r\n".encode() + body


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with its threads (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(
    url: str, connections: int, seconds: float, rate: float = 0.0, key: str = "", pid: int = 0
) -> dict[str, float | int]:
    """Send for so many seconds; requests/s, times in ms, CPU seconds of the server per 1,000 requests."""
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    bodies = receipts(uuid.uuid4().hex[:8])

    def make() -> bytes:
        return _request(f"{address[0]}:{address[1]}", parts.path, next(bodies), key)

    ready = deque(make() for _ in range(int(rate * seconds) if rate else connections))
    every = selectors.DefaultSelector()
    free: deque[_Connection] = deque()
    for _ in range(connections):
        sock = socket.create_connection(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        connection = _Connection(sock)
        every.register(sock, selectors.EVENT_READ, connection)
        free.append(connection)
    times, refused = _drive(every, free, ready, make, seconds, rate, pid)
    for registered in list(every.get_map().values()):
        registered.data.sock.close()
    return times | refused


def _drive(
    every: selectors.BaseSelector,
    free: deque[_Connection],
    ready: deque[bytes],
    make: Callable[[], bytes],
    seconds: float,
    rate: float,
    pid: int,
) -> tuple[dict[str, float | int], dict[str, int]]:
    took: list[float] = []
    refused: dict[str, int] = {}
    due: list[float] = []
    burnt = cpu_seconds(pid) if pid else 0.0
    began = time.monotonic()
    if rate:
        due = [began + number / rate for number in range(int(rate * seconds))]
        heapq.heapify(due)
    busy = 0
    while True:
        now = time.monotonic()
        sending = bool(due) if rate else now < began + seconds
        if not sending and not busy:
            break
        while free and ((rate and due and due[0] <= now) or (not rate and sending)):
            since = heapq.heappop(due) if rate else now
            free.popleft().send(ready.popleft() if ready else make(), since)
            busy += 1
        wait = max(0.0, due[0] - now) if rate and due and free else 5.0
        found = every.select(wait)
        if not found and busy and wait >= 5.0:
            raise TimeoutError("no answer for 5 s")
        for registered, _ in found:
            connection: _Connection = registered.data
            connection.push()
            if status := connection.pull():
                took.append(time.monotonic() - connection.since)
                if status != 202:
                    refused[f"status_{status}"] = refused.get(f"status_{status}", 0) + 1
                free.append(connection)
                busy -= 1
    lasted = time.monotonic() - began
    took.sort()
    measured: dict[str, float | int] = {
        "requests": len(took),
        "requests_per_s": round(len(took) / lasted, 1),
        "p50_ms": round(took[len(took) // 2] * 1000, 3),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 3),
    }
    if pid:
        measured["cpu_s_per_1000_server"] = round((cpu_seconds(pid) - burnt) / len(took) * 1000, 4)
    return measured, refused


def main() -> None:
    """Measure by the command line."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("url")
    given.add_argument("--connections", type=int, default=64)
    given.add_argument("--seconds", type=float, default=5.0)
    given.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as fast as answers come")
    given.add_argument("--key", default="")
    given.add_argument("--pid", type=int, default=0)
    print(json.dumps(load(**vars(given.parse_args()))))


if __name__ == "__main__":
    main()

"""The destination of every benchmark: an HTTP/1.1 server in a process of its own, one thread on raw sockets.

It answers as Engage does to what Tillpost asks (contract, section 2): contacts are found by any key, or made; receipts
are taken and shown in the contact's history at once. Anybody else's POST of a JSON line counts by the line's `id`.
It is cheap on purpose, for it shares the machine with what is measured; its own CPU time is among its counts.

`python -m tests.benchmarks.sink` prints one JSON line, `{"url": …, "control": …}`, and ends with SIGTERM. The control
address takes `POST /set` (`delay` in seconds; `fault`: "", "500", "refuse" or "silent"; `known`: whether every contact
is there already), `POST /reset`, and answers `GET /counts`, `/ids`, `/arrivals` (of each receipt, its first) and
`/requests` (of everything that was answered). Times are of CLOCK_MONOTONIC, which
all processes of a machine share.
"""

from __future__ import annotations

import heapq
import json
import re
import select
import signal
import socket
import struct
import sys
import time
import uuid
from array import array
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_ID = re.compile(rb'"(?:uniqueReceiptId|id)":\s*"([^"]+)"')
_CONTACT = re.compile(rb'"matchKey":\s*"([^"]+)"')
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.I)
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds: closing answers with a reset
_CONTACTS = "/api/v3/contacts"
PAGE = 100


def _answer(status: str, value: Any) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_TAKEN = _answer("202 Accepted", {})
_FAILED = _answer("500 Internal Server Error", {"errorCode": "Benchmark"})
_NOBODY = _answer("404 Not Found", {"errorCode": "ContactNotFound"})
_NO_ROUTE = _answer("404 Not Found", {"errorCode": "NoRoute"})


def _listener(port: int = 0) -> socket.socket:
    made = socket.create_server(("127.0.0.1", port), backlog=1024)
    made.setblocking(False)
    return made


class _Connection:
    __slots__ = ("control", "rest", "sock", "told")

    def __init__(self, sock: socket.socket, control: bool) -> None:
        self.sock, self.control = sock, control
        self.rest = b""
        self.told = False  # whether a client that waits for it was told to go on with its body


class Sink:
    """What it has taken, how it answers now, and its loop."""

    def __init__(self, port: int = 0) -> None:
        self.delay = 0.0
        self.fault = ""
        self.known = True
        self._epoll = select.epoll()
        self._front = _listener(port)
        self._control = _listener()
        self._open: dict[int, _Connection] = {}
        self._late: list[tuple[float, int, _Connection, bytes]] = []
        self._order = 0
        for each in (self._front, self._control):
            self._epoll.register(each, select.EPOLLIN)
        self.port, self.control_port = self._front.getsockname()[1], self._control.getsockname()[1]
        self.reset()

    def reset(self) -> None:
        """Forget everything that was taken; how it answers stays."""
        self.seen: dict[bytes, int] = {}
        self.arrivals = array("d")
        self.requests = array("d")
        self.posts = self.faulted = self.unanswered = self.lookups = self.made = 0
        self._histories: dict[str, list[str]] = {}
        self._contacts: dict[str, str] = {}

    # --- the loop --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the process is told to end."""
        poll = self._epoll.fileno()
        while True:
            if self._late:
                # select() waits in microseconds, epoll_wait() in whole milliseconds: an answer would come late.
                select.select([poll], [], [], max(0.0, self._late[0][0] - time.monotonic()))
                events = self._epoll.poll(0)
                self._answer_due()
            else:
                events = self._epoll.poll()
            for number, _ in events:
                if number == self._front.fileno() and self.fault != "refuse":
                    self._accept(self._front, control=False)
                elif number == self._control.fileno():
                    self._accept(self._control, control=True)
                elif number in self._open:
                    self._read(self._open[number])

    def _accept(self, listener: socket.socket, control: bool) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(control)  # a long answer of the control address waits for its reader
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open[sock.fileno()] = _Connection(sock, control)
        self._epoll.register(sock, select.EPOLLIN)

    def _close(self, connection: _Connection, abort: bool = False) -> None:
        number = connection.sock.fileno()
        if self._open.pop(number, None) is None:
            return
        self._epoll.unregister(number)
        if abort:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        connection.sock.close()

    def _read(self, connection: _Connection) -> None:
        try:
            piece = connection.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._close(connection)
            return
        data = connection.rest + piece if connection.rest else piece
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end]
            found = _LENGTH.search(head)
            stop = end + 4 + (int(found[1]) if found else 0)
            if len(data) < stop:
                if not connection.told and b"100-continue" in head:
                    connection.told = True
                    self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
                break
            connection.told = False
            method, target, _ = head[: head.find(b"\r\n")].split(b" ", 2)
            body, data = data[end + 4 : stop], data[stop:]
            if connection.control:
                self._send(connection, self._controlled(method, target.decode(), body))
            else:
                self._serve(connection, method, target, body)
        connection.rest = data

    def _send(self, connection: _Connection, content: bytes) -> None:
        try:
            connection.sock.sendall(content)
        except OSError:
            self._close(connection)

    def _answer_due(self) -> None:
        now = time.monotonic()
        while self._late and self._late[0][0] <= now:
            _, _, connection, content = heapq.heappop(self._late)
            if connection.sock.fileno() >= 0:
                self._send(connection, content)

    # --- what it is asked ------------------------------------------------------------------------------------------

    def _serve(self, connection: _Connection, method: bytes, target: bytes, body: bytes) -> None:
        if self.fault == "silent":
            self.unanswered += 1
            return
        if self.fault == "500":
            self.faulted += 1
            content = _FAILED
        elif method == b"POST" and b"/receipts" in target:
            content = self._take(body)
        else:
            content = self._contact(method, target.decode(), body)
        now = time.monotonic()
        self.requests.append(now)
        if self.delay:
            self._order += 1
            heapq.heappush(self._late, (now + self.delay, self._order, connection, content))
        else:
            self._send(connection, content)

    def _take(self, body: bytes) -> bytes:
        found = _ID.search(body)
        if found is None:
            return _answer("400 Bad Request", {"errorCode": "NoId"})
        name = found[1]
        self.posts += 1
        if name in self.seen:
            self.seen[name] += 1
            return _TAKEN
        self.seen[name] = 1
        self.arrivals.append(time.monotonic())
        contact = _CONTACT.search(body)
        if contact is not None:
            self._histories.setdefault(contact[1].decode(), []).append(name.decode())
        return _TAKEN

    def _contact(self, method: bytes, target: str, body: bytes) -> bytes:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        rest = parts.path.removeprefix(_CONTACTS).strip("/").split("/")
        if not parts.path.startswith(_CONTACTS):
            return _NO_ROUTE
        match method, rest:
            case b"GET", ["count"]:
                return _answer("200 OK", len(self._contacts))
            case b"GET", ["id"]:
                self.lookups += 1
                key = next(iter(query.values()), "")
                if key not in self._contacts and not self.known:
                    return _NOBODY
                return _answer("200 OK", self._contact_id(key))
            case b"POST", [""]:
                self.made += 1
                form = json.loads(body)
                keys = [form[name] for name in ("externalId", "email", "mobilePhone") if form.get(name)]
                made = self._contact_id(keys[0])
                self._contacts |= dict.fromkeys(keys, made)
                return _answer("201 Created", form | {"id": made})
            case b"GET", [name, "transactions"]:
                start, most = int(query.get("offset", 0)), int(query.get("count", PAGE))
                shown = self._histories.get(unquote(name), [])[start : start + most]
                return _answer("200 OK", {"items": [{"externalId": each} for each in shown]})
            case ((b"GET" | b"PATCH"), [name]) if name:
                return _answer("200 OK", {"id": unquote(name)} | (json.loads(body) if body else {}))
        return _NO_ROUTE

    def _contact_id(self, key: str) -> str:
        made = self._contacts.get(key)
        if made is None:
            made = self._contacts[key] = str(uuid.uuid5(uuid.NAMESPACE_OID, key))
        return made

    # --- control ---------------------------------------------------------------------------------------------------

    def _controlled(self, method: bytes, target: str, body: bytes) -> bytes:
        match method, target:
            case b"POST", "/set":
                self._set(**json.loads(body))
            case b"POST", "/reset":
                self.reset()
            case b"GET", "/ids":
                return _answer("200 OK", {name.decode(): count for name, count in self.seen.items()})
            case b"GET", "/arrivals":
                return _answer("200 OK", self.arrivals.tolist())
            case b"GET", "/requests":
                return _answer("200 OK", self.requests.tolist())
            case b"GET", "/counts":
                pass
            case _:
                return _NO_ROUTE
        return _answer("200 OK", self._counts())

    def _set(self, delay: float | None = None, fault: str | None = None, known: bool | None = None) -> None:
        self.delay = self.delay if delay is None else delay
        self.known = self.known if known is None else known
        if fault is None or fault == self.fault:
            return
        if fault == "refuse":
            self._front.close()
            for connection in [each for each in self._open.values() if not each.control]:
                self._close(connection, abort=True)
        elif self.fault == "refuse":
            self._front = _listener(self.port)
            self._epoll.register(self._front, select.EPOLLIN)
        self.fault = fault

    def _counts(self) -> dict[str, float]:
        return {
            "receipts": len(self.seen),
            "posts": self.posts,
            "lookups": self.lookups,
            "made": self.made,
            "faulted": self.faulted,
            "unanswered": self.unanswered,
            "last": self.arrivals[-1] if self.arrivals else 0.0,
            "cpu": time.process_time(),
        }


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sink = Sink()
    ready = {"url": f"http://127.0.0.1:{sink.port}", "control": f"http://127.0.0.1:{sink.control_port}"}
    print(json.dumps(ready), flush=True)
    sink.run()


if __name__ == "__main__":
    main()

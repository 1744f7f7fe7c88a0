"""The server: cheroot, with the bounds and the answers that an ingest needs (docs/decisions/0002-dependencies.md).

Changed in it: a connection gets a thread once it has sent something, not when it is opened (the TLS handshake also
happens in that thread); a request must arrive completely within a time limit; protocol errors are problem documents; a
request is answered in one write.
"""

from __future__ import annotations

import io
import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from cheroot.makefile import StreamWriter
from cheroot.server import Gateway, HTTPConnection, HTTPRequest, HTTPServer
from cheroot.ssl import Adapter

from tillpost import describe
from tillpost_ingest.problem import Answer, Problem
from tillpost_ingest.receive import Endpoint, Request, answer

_log = logging.getLogger("tillpost.ingest")
THREADS = 64
"""Requests handled at the same time; all of them may share one commit."""
CONNECTIONS = 800
"""Most connections; a process has 1,024 files on most systems."""
LARGE = 4
"""Most large bodies in memory at once."""
HEADERS = 32 << 10
"""Most bytes of a request line with its headers."""
_HEADERS_WITHIN = 10
"""Seconds a request's headers may take to arrive, and a connection may be kept without a request."""
_DRAIN = 256 << 10
"""Bytes of a refused body that are read, so that the sender sees the answer."""
Endpoints = Callable[[], Mapping[str, Endpoint]]


class Server(HTTPServer):
    """One listening address."""

    max_request_header_size = HEADERS
    request_queue_size = 128
    expiration_interval = 0.1
    timeout = _HEADERS_WITHIN
    software = "tillpost"

    def __init__(
        self, address: tuple[str, int], context: ssl.SSLContext | None, within: float, endpoints: Endpoints
    ) -> None:
        """within: seconds a request may take to arrive. endpoints: the pipelines that listen now."""
        super().__init__(address, _Gateway, minthreads=THREADS, maxthreads=THREADS, server_name="tillpost")
        self.ConnectionClass = _Connection
        self.ssl_adapter = _Tls(context) if context is not None else None
        self.shutdown_timeout = round(within)
        self.within = within
        self.endpoints = endpoints
        self.open: set[HTTPConnection] = set()
        self._refused: OSError | None = None
        self._large = threading.BoundedSemaphore(LARGE)

    def begin(self) -> None:
        """Listen. Raises OSError when the address cannot be used."""
        try:
            self.prepare()
        except OSError as error:
            raise self._refused or error from None
        # daemon, as all threads it starts: a request that does not end must not keep the process alive.
        threading.Thread(target=self.serve, name="ingest", daemon=True).start()

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        """Keep the OSError, which cheroot replaces by a text of its own."""
        try:
            bound: socket.socket = super().bind(family, type, proto)
        except OSError as error:
            self._refused = error
            raise
        return bound

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: Any) -> socket.socket:
        """Bind, or close the socket: cheroot leaves it open when the address is in use."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def process_conn(self, conn: Any) -> None:
        """Give a connection that sent something a thread; a new one waits like a kept one."""
        if conn.last_used is not None:
            super().process_conn(conn)
        elif len(self.open) > CONNECTIONS:
            conn.close()
        else:
            self.put_conn(conn)

    def stop(self) -> None:
        """Stop listening; returns when requests that have begun to arrive are answered. Slow ones are cut off."""
        for conn in list(self.open):
            conn.rfile.wire.until = min(conn.rfile.wire.until, time.monotonic() + _HEADERS_WITHIN)
        super().stop()

    @contextmanager
    def large(self) -> Iterator[None]:
        """Held while more than a small body is in memory."""
        if not self._large.acquire(timeout=self.within):
            raise Problem(503, "busy", "too many large bodies at once", {"Retry-After": "5"}, close=True)
        try:
            yield
        finally:
            self._large.release()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log errors of ours, in short. Other messages of cheroot are omitted: they may quote a request."""
        error = sys.exc_info()[1]
        if traceback and error is not None and not isinstance(error, OSError):
            _log.error("ingest: %s", describe(error))


class _Raw(socket.SocketIO):
    """Reads a socket; a request must have arrived by `until`."""

    until = float("inf")
    quiet = False
    """When true, a read returns nothing more than what is in the buffer."""

    def readinto(self, buffer: Any) -> int | None:
        if self.quiet:
            return None
        if time.monotonic() > self.until:
            raise TimeoutError("timed out")
        return super().readinto(buffer)


class _Reader(io.BufferedReader):
    """The reader cheroot needs, with the buffer of the standard library."""

    def __init__(self, sock: Any) -> None:
        self.socket = sock
        self.wire = _Raw(sock, "rb")
        super().__init__(self.wire, 1 << 16)

    def has_data(self) -> bool:
        """Whether the next request has begun to arrive: here, or in the TLS layer."""
        self.wire.quiet = True
        try:
            return bool(self.peek(1)) or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0)
        finally:
            self.wire.quiet = False


def _files(sock: Any, mode: str = "rb", size: int = -1) -> Any:
    return _Reader(sock) if "r" in mode else StreamWriter(sock, mode, io.DEFAULT_BUFFER_SIZE)


class _Tls(Adapter):
    """TLS whose handshake happens at the first read: in the thread of its connection, within its time limit."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket.socket) -> socket.socket:
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), {}

    def get_environ(self) -> dict[str, str]:
        return {}

    def makefile(self, sock: Any, mode: str = "rb", bufsize: int = -1) -> Any:
        return _files(sock, mode, bufsize)


class _Request(HTTPRequest):
    """A request; a protocol error is answered with a problem document."""

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answers cheroot gives by itself. All of them end the connection."""
        code = int(status[:3])
        self.close_connection = True
        _write(self, Problem(code, "protocol", msg or HTTPStatus(code).phrase, close=True).answer())


class _Connection(HTTPConnection):
    """A connection; its time limit begins again with each request."""

    RequestHandlerClass = _Request

    def __init__(self, server: Server, sock: Any, makefile: Any = None) -> None:
        super().__init__(server, sock, _files)
        server.open.add(self)

    def communicate(self) -> bool:
        """One request. The headers are read within a short time, so that slow senders hold few threads."""
        self.rfile.wire.until = time.monotonic() + _HEADERS_WITHIN
        return bool(super().communicate())  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self.server.open.discard(self)
        super().close()


class _Gateway(Gateway):
    """Translates cheroot's request to ours, and the answer back."""

    def respond(self) -> None:
        req = self.req
        server = req.server
        req.conn.rfile.wire.until = time.monotonic() + server.within
        left = _Left(req)
        request = Request(
            method=req.method.decode("latin-1"),
            path=req.path.decode("latin-1"),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in req.inheaders.items()},
            read=left.read,
            large=server.large,
        )
        try:
            given = answer(request, server.endpoints())
        except OSError:
            raise  # the sender is gone or too slow: cheroot answers 408
        except BaseException as error:  # noqa: BLE001 - nothing of a request may end the thread, nor be quoted in a log
            _log.error("ingest: %s", describe(error))
            given = Problem(500, "failed", "the receiver failed; its log says why", close=True).answer()
        if given.close:
            left.drain()
        if given.close or left.unread or not server.ready:
            req.close_connection = True
        _write(req, given)


class _Left:
    """The part of the body that is not read yet."""

    def __init__(self, req: Any) -> None:
        self._file = req.conn.rfile
        length = req.inheaders.get(b"Content-Length", b"0")
        self.unread = int(length) if length.isdigit() and len(length) <= 18 else 0

    def read(self, size: int) -> bytes:
        body: bytes = self._file.read(size)
        self.unread -= len(body)
        return body

    def drain(self) -> None:
        """Read what is left: closing on unread bytes resets the connection, and the sender may not see the answer."""
        if self.unread <= _DRAIN:
            self.read(self.unread)


def _write(req: Any, given: Answer) -> None:
    head = [
        f"HTTP/1.1 {given.status} {HTTPStatus(given.status).phrase}",
        f"Content-Length: {len(given.body)}",
        f"Date: {formatdate(usegmt=True)}",
        *(f"{name}: {value}" for name, value in given.headers.items()),
    ]
    if req.close_connection:
        head.append("Connection: close")
    elif req.response_protocol != "HTTP/1.1":
        head.append("Connection: Keep-Alive")
    body = b"" if getattr(req, "method", b"") == b"HEAD" else given.body
    req.sent_headers = True
    try:
        req.conn.wfile.write("\r\n".join((*head, "", "")).encode("latin-1") + body)
    except OSError:
        req.close_connection = True  # the sender is gone; what was committed stays, and it will send again

"""The sockets of the API: threads, keep-alive, and faults that need the connection itself."""

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tillpost_sandbox import control, routes
from tillpost_sandbox.engage import Engage
from tillpost_sandbox.faults import Fault
from tillpost_sandbox.request import Answer, RefusalError, Request

HOST = "127.0.0.1"
MOST_BODY = 64 * 1024 * 1024  # bytes
IDLE = 120.0  # seconds a kept connection may be silent
_CODES = {
    "500": "InvalidSystemConfiguration",
    "429": "TooManyRequests",
    "401": "Unauthorized",
    "404": "NoSuchRoute",
}


def reserve(port: int) -> socket.socket:
    """A bound socket that does not listen: connections are refused and no other process gets the port."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((HOST, port))
    except OSError as error:
        held.close()
        raise OSError(error.errno, error.strerror, f"port {port} of {HOST}") from None
    return held


class Port:
    """One HTTP port that can be closed and opened again. `only_control` serves nothing but /_sandbox/."""

    def __init__(self, engage: Engage, port: int, apply_faults: Callable[[], None], *, only_control: bool) -> None:
        self.engage = engage
        self.apply_faults = apply_faults
        self.only_control = only_control
        self._reserved: socket.socket | None = reserve(port)
        self.number: int = self._reserved.getsockname()[1]
        self._server: _Server | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Listen, unless it already does."""
        with self._lock:
            if self._server is None and self._reserved is not None:
                self._server = _Server(self, self._reserved)
                self._reserved = None

    def refuse(self) -> None:
        """Stop listening and close every connection except that of the calling thread."""
        with self._lock:
            if self._server is not None:
                server, self._server = self._server, None
                server.stop(wait=False)
                self._reserved = reserve(self.number)

    def close(self) -> None:
        """Stop for good; returns when every connection has ended."""
        with self._lock:
            if self._server is not None:
                self._server.stop(wait=True)
            if self._reserved is not None:
                self._reserved.close()
            self._server = self._reserved = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: Port, bound: socket.socket) -> None:
        self.port = port
        self.stopped = False
        self._open: dict[socket.socket, threading.Thread] = {}
        self._guard = threading.Lock()
        self.resets: set[socket.socket] = set()
        super().__init__((HOST, port.number), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_activate()
        self._accepting = threading.Thread(target=self.serve_forever, args=(0.02,), name="sandbox-http", daemon=True)
        self._accepting.start()

    def stop(self, *, wait: bool) -> None:
        self.stopped = True
        self.shutdown()
        self._accepting.join()
        self.server_close()
        with self._guard:
            others = {one: thread for one, thread in self._open.items() if thread is not threading.current_thread()}
        for connection in others:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in others.values() if wait else ():
            thread.join(10.0)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection, known before it starts, so that a refusal reaches every connection."""
        work = self.process_request_thread
        thread = threading.Thread(target=work, args=(request, client_address), daemon=True)
        with self._guard:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.pop(request, None)
            is_reset = request in self.resets
            self.resets.discard(request)
        if is_reset:
            request.close()  # SO_LINGER 0 makes this a reset; a shutdown before it would send a FIN
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that went away is not an error of the server, and a traceback could show data."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a request line has e-mail addresses in its query."""

    def _serve(self) -> None:
        request = self._read()
        if request is None:
            return
        port = self.server.port
        if request.path.startswith(control.PREFIX):
            answer = control.answer(port.engage, request, port.apply_faults)
            # When this very port is set to refuse, the answer is the last thing sent over the connection.
            self.close_connection = self.close_connection or self.server.stopped
            self._send(answer)
        elif port.only_control:
            self._send(RefusalError(404, "NoSuchRoute", f"this port serves only {control.PREFIX}").answer())
        else:
            self._serve_api(port.engage, request)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _serve_api(self, engage: Engage, request: Request) -> None:
        fault, lifted = engage.faults.take_http()
        if fault.kind != "ok":
            engage.count("fault", fault.kind)
        if (instead := _fault_answer(fault)) is not None:
            self._send(instead)
        elif fault.kind == "hang":
            self._hang(lifted)
        else:
            route, answer = routes.answer(engage, request)
            engage.count(route, str(answer.status))
            self._send(answer, fault)

    def _read(self) -> Request | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MOST_BODY:
            self.close_connection = True
            self._send(RefusalError(411, "LengthRequired", f"send Content-Length, at most {MOST_BODY}").answer())
            return None
        raw = self.rfile.read(int(length))
        if len(raw) < int(length):
            self.close_connection = True
            return None
        return Request.of(self.command, self.path, dict(self.headers.items()), raw)

    def _send(self, answer: Answer, fault: Fault | None = None) -> None:
        content = answer.content()
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", "Server: tillpost-sandbox"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.status != 204:
            lines += [f"Content-Type: {answer.content_type}", f"Content-Length: {len(content)}"]
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        raw = head if self.command == "HEAD" else head + content
        match fault.kind if fault else "ok":
            case "reset-after-body":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.server.resets.add(self.connection)
                self.close_connection = True
            case "half":
                self.connection.sendall(raw[: len(head) + len(content) // 2] if content else raw[:-4])
                self.close_connection = True
            case "slow" if fault:
                for index in range(len(raw)):
                    self.connection.sendall(raw[index : index + 1])
                    time.sleep(fault.drip)
            case _:
                self.connection.sendall(raw)

    def _hang(self, lifted: threading.Event) -> None:
        """Wait until the client leaves or the fault is lifted, then close without an answer."""
        self.close_connection = True
        while not lifted.wait(0.05):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return


def _fault_answer(fault: Fault) -> Answer | None:
    """The answer in place of Engage's own; None for a fault that needs the connection, and for none."""
    if fault.kind == "html":
        page = "<!doctype html><title>Welcome to our network</title>"
        return Answer(200, text=page, content_type="text/html; charset=utf-8")
    if fault.kind == "redirect":
        return Answer(301, {}, (("Location", "http://elsewhere.invalid/"),))
    if fault.kind not in _CODES:
        return None
    headers = [("Retry-After", fault.retry_after)] if fault.kind == "429" and fault.retry_after is not None else []
    return RefusalError(int(fault.kind), _CODES[fault.kind], "a fault of the sandbox").answer(*headers)

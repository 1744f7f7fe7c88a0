"""An HTTP server before the sandbox: it answers as a rule says, passes all else on, and remembers what it saw."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

import attrs


@attrs.frozen
class Reply:
    """An answer of the front's own."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"{}"


Rule = Callable[[str, str, bytes], Reply | None]
"""Method, path and body → an answer, or None to pass the request on."""


class HttpProxy:
    """Listens on loopback, over TLS when a context is given. `rule` may be changed while it runs."""

    def __init__(self, target: str, rule: Rule = lambda *_: None, tls: ssl.SSLContext | None = None) -> None:
        self.rule = rule
        self.seen: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self._target = urlsplit(target)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """By the rule, else what the sandbox answers."""
        self.seen.append((method, path))
        self.bodies.append(body)
        if (reply := self.rule(method, path, body)) is not None:
            return reply
        connection = http.client.HTTPConnection(str(self._target.hostname), self._target.port, timeout=30)
        try:
            connection.request(method, path, body or None, headers | {"Connection": "close"})
            response = connection.getresponse()
            kept = tuple((name, value) for name, value in response.getheaders() if name.lower() in _PASSED)
            return Reply(response.status, kept, response.read())
        finally:
            connection.close()


_PASSED = ("content-type", "retry-after")


def _handler(front: HttpProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One connection, one request: HTTP/1.0 leaves no thread waiting for a second."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = front.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names http.server asks for

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler

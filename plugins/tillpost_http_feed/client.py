"""One request and its whole answer, within a deadline, and given up when the source is to stop. It repeats nothing."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import attrs
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

from tillpost import Stopped
from tillpost.kit.network import address, connection_failure
from tillpost.model import Misconfigured, NotSent, Throttled

Failure = NotSent | Throttled | Misconfigured
_CONNECT = 10.0
"""Seconds at most for a connection: nothing can interrupt that wait."""
_LOOK = 0.1
"""Seconds between two looks at the deadline, and whether the source is to stop."""
_PIECE = 1 << 16


class Failed(Exception):
    """There is no usable answer; `failure` is what the source returns."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@attrs.frozen
class Answer:
    """A complete answer."""

    status: int
    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    where: str
    """Host and port, for messages."""


@attrs.frozen
class Client:
    """seconds: for a request as a whole. largest: bytes of an answer, unpacked. stopping: ends a request at once."""

    seconds: float
    largest: int
    stopping: threading.Event

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Raises Failed when there is no answer, Stopped when it was given up."""
        if self.stopping.is_set():
            raise Stopped("stopped between two requests")
        parts = parse_url(url)
        host, port = (parts.host or "").strip("[]"), parts.port or (443 if parts.scheme == "https" else 80)
        where = address(host, port)
        connection = self._connection(parts, host)
        ended: list[str] = []
        try:
            with self._watched(connection, ended):
                answer = self._exchange(connection, method, parts.request_uri, headers, body, where)
            if ended:  # an answer without a length ends where it was cut off
                raise TimeoutError
            return answer
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            if "stopped" in ended:
                raise Stopped("stopped while the server was waited for") from None
            cause = TimeoutError() if ended else _cause(error)
            raise Failed(NotSent(reason=connection_failure(cause, host, port, self.seconds))) from None
        finally:
            connection.close()

    def _connection(self, parts: Url, host: str) -> HTTPConnection:
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(host, parts.port, timeout=min(_CONNECT, self.seconds))

    def _exchange(
        self, connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes | None,
        where: str,
    ) -> Answer:  # fmt: skip
        connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(self.seconds)
        connection.request(method, target, body=body, headers=headers, preload_content=False)
        response = connection.getresponse()
        pieces, size = [], 0
        while piece := response.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > self.largest:
                reason = (
                    f"an answer of {where} has more than {self.largest} bytes; ask for fewer sales a page, or raise"
                )
                raise Failed(Misconfigured(reason=f"{reason} source.largest"))
        known = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, b"".join(pieces), known, where)

    @contextmanager
    def _watched(self, connection: HTTPConnection, ended: list[str]) -> Iterator[None]:
        """Shut the connection down at the deadline, or when the source is to stop; `ended` says which."""
        over = threading.Event()
        # The real monotonic clock: it bounds real sockets, and no decision depends on it.
        deadline = time.monotonic() + self.seconds

        def watch() -> None:
            while not over.wait(_LOOK):
                if self.stopping.is_set() or time.monotonic() >= deadline:
                    if not ended:
                        ended.append("stopped" if self.stopping.is_set() else "late")
                    _shut(connection.sock)

        watcher = threading.Thread(target=watch, name="http-feed-deadline", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _shut(connected: Any) -> None:
    """The owner may be closing or wrapping its socket in this moment, so a duplicate is shut down."""
    with suppress(OSError, AttributeError):
        duplicate = socket.socket(fileno=os.dup(connected.fileno()))
        with duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)


def _cause(error: BaseException) -> BaseException:
    """The system's error behind one of urllib3's, whose text may have the address with its query."""
    seen: BaseException | None = error
    while isinstance(seen, HTTPError):
        inner = seen.__cause__ or seen.__context__
        inner = inner or next((each for each in seen.args if isinstance(each, BaseException)), None)
        if inner is None:
            break
        seen = inner
    if isinstance(seen, HTTPError):
        names = {"NameResolutionError": socket.gaierror(), "ConnectTimeoutError": TimeoutError()}
        return names.get(type(seen).__name__, ConnectionResetError())
    return seen or error

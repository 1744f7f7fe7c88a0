"""A TCP proxy on loopback that breaks connections on demand: what lies between a shop and a file server."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Literal, Self

import attrs

_BLOCK = 1 << 14
_POLL = 0.05
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


@attrs.frozen(kw_only=True)
class Way:
    """What happens to the bytes of one direction of a connection.

    latency: seconds every block is held back. after: how many bytes of a connection pass; then it is cut (an orderly
    end), reset, falls silent (half-open: it stays, nothing passes), or drips: one byte every `drip` seconds.
    """

    latency: float = 0.0
    drip: float = 5.0
    after: int | None = None
    then: Literal["cut", "reset", "silence", "drip"] = "cut"


WELL = Way()


class Proxy:
    """Passes connections to ports of `host` on to ports of `target`. All of it may be changed while it runs.

    ports: (port to listen on, 0 for a free one; port of the target). up: from the client to the server; down: back.
    """

    def __init__(self, ports: Iterable[tuple[int, int]], host: str = "127.0.0.1", target: str = "127.0.0.1") -> None:
        self.up = WELL
        self.down = WELL
        self._host = host
        self._target = target
        self._held = [(_bound(host, own), behind) for own, behind in ports]
        self.port: int = self._held[0][0].getsockname()[1]
        self._halt = threading.Event()
        self._takers: list[threading.Thread] = []
        self._pairs: list[_Pair] = []

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        for held, _behind in self._held:
            held.close()

    def accept(self) -> None:
        """Take connections, as at the start."""
        if self._takers:
            return
        self._halt = threading.Event()
        for held, behind in self._held:
            held.listen(16)
            held.settimeout(_POLL)
            self._takers.append(_started(self._take, held, behind, self._halt))

    def refuse(self) -> None:
        """Take no more connections and reset those there are; the ports stay ours."""
        self._halt.set()
        for thread in self._takers:
            thread.join()
        self._takers = []
        ports = [(held.getsockname()[1], behind) for held, behind in self._held]
        for held, _behind in self._held:
            held.close()
        self._held = [(_bound(self._host, own), behind) for own, behind in ports]
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.end(hard=True)
            pair.join()

    def heal(self) -> None:
        """All is well again, for new connections and for those that still are."""
        self.up = self.down = WELL
        self.accept()

    def _take(self, listening: socket.socket, behind: int, halt: threading.Event) -> None:
        while not halt.is_set():
            try:
                client, _ = listening.accept()
            except TimeoutError:
                continue
            try:
                server = socket.create_connection((self._target, behind), 5)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                client.close()
                continue
            self._pairs.append(_Pair(client, server, lambda: self.up, lambda: self.down))


class _Pair:
    """One connection: two sockets, and a thread for each direction. The last one to end closes both."""

    def __init__(
        self, client: socket.socket, server: socket.socket, up: Callable[[], Way], down: Callable[[], Way]
    ) -> None:
        self._sockets = client, server
        self._ended = threading.Event()
        self._left = 2
        self._lock = threading.Lock()
        for each in self._sockets:
            each.settimeout(_POLL)
        self._threads = [_started(self._run, client, server, up), _started(self._run, server, client, down)]

    def end(self, hard: bool) -> None:
        """Break the connection, by a reset when `hard`."""
        if hard:
            for each in self._sockets:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._ended.set()

    def join(self) -> None:
        """Wait for both threads."""
        for thread in self._threads:
            thread.join()

    def _run(self, source: socket.socket, sink: socket.socket, way: Callable[[], Way]) -> None:
        try:
            self._pass(source, sink, way)
        except OSError:
            self.end(hard=True)
        with self._lock:
            self._left -= 1
            last = not self._left
        if last:
            for each in self._sockets:
                each.close()

    def _pass(self, source: socket.socket, sink: socket.socket, way: Callable[[], Way]) -> None:
        passed = 0
        while not self._ended.is_set():
            now = way()
            most = _BLOCK if now.after is None else min(_BLOCK, now.after - passed)
            dripping = most <= 0 and now.then == "drip"
            if most <= 0 and not dripping:
                if now.then != "silence":
                    self.end(hard=now.then == "reset")
                self._ended.wait(_POLL)
                continue
            try:
                data = source.recv(1 if dripping else most)
            except TimeoutError:
                continue
            if not data:  # this direction has ended in good order; the other may go on
                sink.shutdown(socket.SHUT_WR)
                return
            self._ended.wait(now.latency + (now.drip if dripping else 0.0))
            passed += len(data)
            left = memoryview(data)
            while left and not self._ended.is_set():
                with suppress(TimeoutError):
                    left = left[sink.send(left) :]


def _started(job: Callable[..., None], *given: Any) -> threading.Thread:
    thread = threading.Thread(target=job, args=given, daemon=True)
    thread.start()
    return thread


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    return made

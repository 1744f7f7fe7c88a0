"""One total deadline for an exchange, however slowly Engage sends.

urllib3's time-outs are for each read, so one byte a second keeps a request alive for ever. Here one thread
shuts the socket down at the deadline, and the reader ends at once.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Exchange:
    """One request and its answer: its deadline, and whether a byte of it may have been sent."""

    def __init__(self, seconds: float) -> None:
        # The real monotonic clock: it bounds real sockets, and no decision depends on it.
        self.deadline = time.monotonic() + seconds
        self.sent = False
        self.expired = False
        self._done = False
        self._tap: socket.socket | None = None
        self._lock = threading.Lock()

    def left(self) -> float:
        """Seconds until the deadline, not below zero."""
        return max(0.0, self.deadline - time.monotonic())

    def watch(self, connected: socket.socket) -> None:
        """Shut this connection down at the deadline. It keeps a duplicate, as the owner may close or wrap its own."""
        with self._lock:
            if self._tap is None and not self._done:
                self._tap = socket.socket(fileno=os.dup(connected.fileno()))
            if self.expired:
                self._cut()

    def expire(self) -> None:
        """The deadline has come."""
        with self._lock:
            if not self._done:
                self.expired = True
                self._cut()

    def finish(self) -> None:
        """The exchange is over; close the duplicate of the socket."""
        with self._lock:
            self._done = True
            if self._tap is not None:
                self._tap.close()
                self._tap = None

    def _cut(self) -> None:
        if self._tap is not None:
            with suppress(OSError):  # closed already
                self._tap.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """The thread that expires exchanges; started by the first, ended by `close`.

    All have the same time limit, so the one that began first is the first to expire.
    """

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._under_way: dict[Exchange, None] = {}
        self._thread: threading.Thread | None = None
        self._idle = True
        self._closed = False

    @contextmanager
    def over(self, exchange: Exchange) -> Iterator[Exchange]:
        """Expire this exchange at its deadline, unless the block has ended by then."""
        self._under_way[exchange] = None
        if self._idle:
            with self._wake:
                self._idle = False
                if self._thread is None and not self._closed:
                    self._thread = threading.Thread(target=self._run, name="engage-deadlines", daemon=True)
                    self._thread.start()
                self._wake.notify()
        try:
            yield exchange
        finally:
            self._under_way.pop(exchange, None)
            exchange.finish()

    def close(self) -> None:
        """End the thread; exchanges under way have no deadline any more."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        """Wakes at deadlines. An exchange that is over by then needs nothing."""
        while True:
            with self._wake:
                while True:
                    if self._closed:
                        return
                    # Before reading: an exchange that begins after it sees this, and wakes the thread.
                    self._idle = True
                    first = next(iter(self._under_way.copy()), None)
                    if first is not None:
                        self._idle = False
                        if first.left() <= 0:
                            break
                    self._wake.wait(None if first is None else first.left())
                self._under_way.pop(first, None)
            first.expire()

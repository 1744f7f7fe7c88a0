"""One total deadline for an exchange, whatever the far side drips.

urllib3's time-outs are for each read, so one byte a second keeps a request alive for ever. Here one thread
shuts the socket down at the deadline, and the reader meets its end at once.
"""

from __future__ import annotations

import heapq
import os
import socket
import threading
import time
from contextlib import suppress
from itertools import count


class Exchange:
    """One request and its answer: until when it may last, and whether a byte of it may have left."""

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
        """Shut this connection down at the deadline; holds a duplicate, as the owner may close or wrap its own."""
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
        """The exchange is over; lets go of the socket."""
        with self._lock:
            self._done = True
            if self._tap is not None:
                self._tap.close()
                self._tap = None

    def _cut(self) -> None:
        if self._tap is not None:
            with suppress(OSError):  # already at its end
                self._tap.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """The thread that expires exchanges; started by the first, ended by `close`."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._due: list[tuple[float, int, Exchange]] = []
        self._order = count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, exchange: Exchange) -> None:
        """Expire this exchange at its deadline, unless it is finished by then."""
        with self._wake:
            heapq.heappush(self._due, (exchange.deadline, next(self._order), exchange))
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="engage-deadlines", daemon=True)
                self._thread.start()
            elif self._due[0][2] is exchange:
                self._wake.notify()

    def close(self) -> None:
        """End the thread; exchanges under way are no longer bounded."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._closed and (not self._due or self._due[0][2].left() > 0):
                    self._wake.wait(self._due[0][2].left() if self._due else None)
                if self._closed:
                    return
                exchange = heapq.heappop(self._due)[2]
            exchange.expire()

"""sd_notify(3): state, status and watchdog pings for systemd, as datagrams to the socket it names, if it does."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

_PARTS = 3
"""Pings in a watchdog's time: one may come late."""


class Notifier:
    """Sends to the service manager, if there is one. A message that cannot be sent stops nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name  # a name without a file begins with a zero
        for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = environment.get("WATCHDOG_USEC", "")
        self.every = int(micros) / 1e6 / _PARTS if self._address and for_us and micros.isdecimal() else 0.0
        """Seconds between two pings the watchdog wants; 0 when there is none."""
        self._next = 0.0
        self._status = ""

    def ready(self, status: str) -> None:
        """The pipelines have started."""
        self._status = status
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, status: str) -> None:
        """The text of `systemctl status`; sent when it has changed."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={_line(status)}")

    def stopping(self) -> None:
        """The process ends; calls in flight have their grace period."""
        self._send("STOPPING=1")

    def is_ping_due(self, now: float) -> bool:
        """Whether a ping is due, if all is well. now: monotonic seconds."""
        if not self.every or now < self._next:
            return False
        self._next = now + self.every
        return True

    def ping(self) -> None:
        """All is well: the watchdog's time begins again."""
        self._send("WATCHDOG=1")

    @contextmanager
    def pinging(self) -> Iterator[None]:
        """Ping from a thread while the block runs: a repair may take minutes."""
        done = threading.Event()

        def keep_pinging() -> None:
            while not done.wait(self.every):
                self.ping()

        thread = threading.Thread(target=keep_pinging, name="watchdog", daemon=True)
        if self.every:
            self.ping()
            thread.start()
        try:
            yield
        finally:
            done.set()
            if self.every:
                thread.join()

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.settimeout(1.0)  # when nobody listens, the service manager notices that by itself
            to.sendto(message.encode(), self._address)


def _line(text: str) -> str:
    """On one line: a newline would begin another message."""
    return " ".join(text.split())

"""What systemd is told of the service: sd_notify(3), a datagram to the socket it names; nothing where it names none."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_PARTS = 3
"""Pings in a watchdog's time: one may come late."""


class Notify:
    """The service manager, if there is one. A message that cannot be sent stops nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name  # a name without a file begins with a zero
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = environment.get("WATCHDOG_USEC", "")
        self.every = int(micros) / 1e6 / _PARTS if self._address and mine and micros.isdecimal() else 0.0
        """Seconds between two pings the watchdog wants; 0 when there is none."""
        self._next = 0.0
        self._status = ""

    def ready(self, status: str) -> None:
        """The pipelines work (again)."""
        self._status = status
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, status: str) -> None:
        """How it stands, for `systemctl status`; sent when it has changed."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={_line(status)}")

    def stopping(self) -> None:
        """It ends; calls in flight have their grace period."""
        self._send("STOPPING=1")

    def due(self, now: float) -> bool:
        """Whether the watchdog is to be told that all is well, if it is. now: monotonic seconds."""
        if not self.every or now < self._next:
            return False
        self._next = now + self.every
        return True

    def well(self) -> None:
        """All is well: the watchdog waits anew."""
        self._send("WATCHDOG=1")

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The watchdog is told that all is well while the block runs: a repair takes its minutes."""
        done = threading.Event()

        def ping() -> None:
            while not done.wait(self.every):
                self.well()

        thread = threading.Thread(target=ping, name="watchdog", daemon=True)
        if self.every:
            self.well()
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
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.settimeout(1.0)
                to.sendto(message.encode(), self._address)
        except OSError:
            pass  # nobody listens: the service manager will see to it in its own way


def _line(text: str) -> str:
    """A newline would begin another message."""
    return " ".join(text.split())

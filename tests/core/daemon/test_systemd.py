"""sd_notify against a real socket: what is sent when, and that nothing is where no service manager asks."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lines import Ahead, line_on
from tillpost.daemon.console import StateChanges
from tillpost.daemon.systemd import Notifier
from tillpost.flow.heartbeat import STUCK


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30.0)
        yield listening


def environment(manager: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.getsockname(), **more}


def test_ready_status_and_stopping(manager: socket.socket) -> None:
    notifier = Notifier(environment(manager))
    notifier.ready("shop online")
    assert manager.recv(999) == b"READY=1\nSTATUS=shop online"
    notifier.status("shop online")
    notifier.status("shop degraded\nMAINPID=1")
    assert manager.recv(999) == b"STATUS=shop degraded MAINPID=1", "what has not changed is not told again"
    notifier.stopping()
    assert manager.recv(999) == b"STOPPING=1"


def test_a_socket_without_a_file_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0tillpost-test-{os.getpid()}")
        listening.settimeout(30.0)
        Notifier({"NOTIFY_SOCKET": f"@tillpost-test-{os.getpid()}"}).stopping()
        assert listening.recv(999) == b"STOPPING=1"


def test_the_watchdog_is_due_three_times_in_its_time(manager: socket.socket) -> None:
    notifier = Notifier(environment(manager, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid())))
    assert [now for now in range(100, 140) if notifier.is_ping_due(float(now))] == [100, 110, 120, 130]
    notifier.ping()
    assert manager.recv(999) == b"WATCHDOG=1"


@pytest.mark.parametrize("more", [{}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}])
def test_no_watchdog_is_never_due(manager: socket.socket, more: dict[str, str]) -> None:
    notifier = Notifier(environment(manager, **more))
    assert not notifier.is_ping_due(0.0)
    assert not notifier.is_ping_due(1e9)


def test_while_busy_it_is_pinged_by_itself(manager: socket.socket) -> None:
    notifier = Notifier(environment(manager, WATCHDOG_USEC="150000"))
    with notifier.pinging():
        assert [manager.recv(999) for _ in range(3)] == [b"WATCHDOG=1"] * 3


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    for each in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "100"}):
        notifier = Notifier(each)
        notifier.ready("shop online")
        notifier.ping()
        with notifier.pinging():
            notifier.stopping()


def test_a_line_that_hangs_stops_the_pings(manager: socket.socket, tmp_path: Path) -> None:
    notifier = Notifier(environment(manager, WATCHDOG_USEC="1"))
    clock = Ahead()
    with line_on(tmp_path / "state", clock=clock) as line:
        beat = line.heartbeat.add_thread("shop-deliver-0", clock)
        beat.thread, beat.since = threading.current_thread(), clock.monotonic()
        watch = StateChanges(True, notifier)
        watch.look([line])
        assert manager.recv(999) == b"STATUS=shop online"
        assert manager.recv(999) == b"WATCHDOG=1"
        clock.ahead = STUCK + 1
        watch.look([line])
        beat.since = clock.monotonic()
        notifier.stopping()
        assert manager.recv(999) == b"STOPPING=1", "nothing came between"
        watch.look([line])
        assert manager.recv(999) == b"WATCHDOG=1", "it got on again"

"""What a service manager and a log reader see of a real `tillpost run`, through an outage to its end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop

pytestmark = pytest.mark.slow


def wait_for(said: socket.socket, there: Callable[[dict[str, str]], bool]) -> None:
    """Until the service says so."""
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        message = dict(line.split("=", 1) for line in said.recv(999).decode().splitlines())
        if there(message):
            return
    raise AssertionError("not said within a minute")


def test_a_run_tells_systemd_how_it_stands_and_logs_in_json(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60.0)
        environment = shop.environment | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1500000"}
        errors = tmp_path / "errors.log"
        with errors.open("wb") as log:
            process = subprocess.Popen(
                shop.command("run", "--log", "json"), env=environment, stdout=subprocess.DEVNULL, stderr=log
            )
        try:
            wait_for(manager, lambda said: said == {"READY": "1", "STATUS": "shop online"})
            wait_for(manager, lambda said: said == {"WATCHDOG": "1"})
            shop.put("bad.jsonl", b"\xff\xfe no receipts")
            shop.fault(http="refuse")
            shop.put("1.jsonl", document([receipt_of(number, externalId="known") for number in range(5)]))
            wait_for(manager, lambda said: said.get("STATUS") in ("shop degraded", "shop fallback"))
            wait_for(manager, lambda said: said == {"WATCHDOG": "1"})  # an outage is no reason to be restarted
            shop.fault(http="ok")
            wait_for(manager, lambda said: said.get("STATUS") == "shop online")
            process.send_signal(signal.SIGTERM)
            wait_for(manager, lambda said: said == {"STOPPING": "1"})
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
        told = [json.loads(line) for line in errors.read_text().splitlines()]
        for each in told:
            assert {"time", "level", "logger", "message"} <= each.keys()
            assert datetime.fromisoformat(each["time"]).tzinfo is not None
        assert "known" not in errors.read_text(), "no identifier of a customer"

"""Alerts of a real run: told by a real program, once over restarts, and a channel that hangs keeps nothing back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installed import installed
from tests.support.receipts import receipt
from tests.support.shop import Shop
from tests.support.waiting import until
from tillpost.model.receipt_json import dumps

pytestmark = pytest.mark.slow

WRITE = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"

BROKEN = b"\n".join([dumps(receipt("101", customer=None)), b'{"broken": ', dumps(receipt("102", customer=None))])
"""A document of which one record is held."""


SOONER = """
import attrs

import tillpost.journal.tables.alerts
from tillpost import hookimpl, simple

tillpost.journal.tables.alerts.CALM = 0.1

class Nothing:
    @hookimpl
    def amend_payload(self, payload, receipt):
        return None

@attrs.frozen
class Settings:
    pass

plugin = simple("tells at once that an alert is over", "amend", Settings, lambda settings, context: Nothing())
"""
"""What is over is told after a minute of calm: tests/core/alerts proves it with a clock of its own."""


def alerting(shop: Shop, *command: str) -> None:
    with shop.config.open("a") as file:
        file.write(f'[alerts]\nevery = "1s"\noff = ["disk_for_outage"]\ncommand = {json.dumps(command)}\n')


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def test_a_revoked_key_and_a_held_receipt_are_told_once_and_again_when_over(tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"

    def events() -> list[tuple[str, str]]:
        lines = told.read_text().splitlines() if told.exists() else []
        return [(each["event"], each["alert"].split()[0]) for each in map(json.loads, lines)]

    with Shop(tmp_path / "shop", own='amend = [ { use = "sooner" } ]') as shop:
        shop.environment = installed(tmp_path / "site", shop.environment, sooner=SOONER)
        alerting(shop, sys.executable, "-c", WRITE, str(told))
        right, shop.environment["ENGAGE_API_KEY"] = shop.environment["ENGAGE_API_KEY"], "revoked"
        shop.put("a.jsonl", dumps(receipt("1", customer=None)))
        first = shop.start()
        until(lambda: events() == [("raised", "paused")])
        stop(first)
        again = shop.start()  # the journal knows that it was told
        shop.put("b.jsonl", BROKEN)
        until(lambda: ("raised", "held") in events())
        assert events() == [("raised", "paused"), ("raised", "held")]
        assert shop.tillpost("alerts").returncode == 1
        stop(again)
        shop.environment["ENGAGE_API_KEY"] = right
        shop.start()
        until(lambda: ("over", "paused") in events())
        (held,) = shop.answers("held", "list")
        assert shop.tillpost("held", "discard", held["id"], "--reason", "no sale").returncode == 0
        until(lambda: ("over", "held") in events())
        assert sorted(events()) == sorted((event, key) for event in ("raised", "over") for key in ("paused", "held"))
        assert shop.tillpost("alerts").returncode == 0
        assert "revoked" not in told.read_text()


def test_a_channel_that_hangs_keeps_no_receipt_back(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        alerting(shop, sys.executable, "-c", f"open({str(tmp_path / 'begun')!r}, 'w'); import time; time.sleep(12)")
        shop.put("a.jsonl", BROKEN)
        running = shop.start()
        until((tmp_path / "begun").exists)
        shop.put("b.jsonl", b"\n".join(dumps(receipt(str(number), customer=None)) for number in range(1, 11)))
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 12)
        stop(running)

"""The rate of one API key with real processes: two `tillpost run` share it, and the sandbox counts what arrives.

TILLPOST_RATE_SECONDS: how long they send; 60 is the form the promise is made for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.test_outage import document, of, stop
from tests.support.shop import Shop

RATE = 50
SECONDS = float(os.environ.get("TILLPOST_RATE_SECONDS", "6"))


class TwoProcesses:
    """Pipelines `shop` and `web` of one configuration and one key, each run by a process of its own."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        text = shop.config.read_text().replace('after = "500ms"', 'after = "1h"')
        table = text[text.index("[pipelines.shop]") :]
        other = table.replace("[pipelines.shop]", "[pipelines.web]").replace('path = "inbox"', 'path = "inbox-web"')
        shop.config.write_text(f"{text}\n{other}")
        (shop.folder / "inbox-web").mkdir()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def put(self, count: int) -> None:
        """So many receipts for each, of a contact that is soon known: one request a receipt."""
        for offset, inbox in ((0, "inbox"), (10 * count, "inbox-web")):
            content = document([of(offset + number, externalId="a") for number in range(count)])
            path = self.shop.folder / "waiting"
            path.write_bytes(content)
            path.rename(self.shop.folder / inbox / "1.jsonl")

    def start(self, *names: str) -> None:
        for name in names:
            with (self.shop.folder / f"{name}.log").open("ab") as log:
                command = self.shop.command("run", "--pipeline", name)
                self.running[name] = subprocess.Popen(command, env=self.shop.environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            stop(process)

    def requests(self) -> int:
        """How many have arrived."""
        return sum(sum(by_status.values()) for by_status in self.shop.sandbox("stats")["requests"].values())

    def delivered(self) -> list[int]:
        stand = self.shop.answers("status")[0]["pipelines"]
        return [stand[name]["counts"]["delivered"] for name in ("shop", "web")]

    def until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, (self.shop.folder / "shop.log").read_text()
            time.sleep(0.1)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoProcesses]:
    with Shop(tmp_path, rate=RATE) as shop:
        made = TwoProcesses(shop)
        try:
            yield made
        finally:
            for process in made.running.values():
                process.kill()
                process.wait()


def test_two_processes_of_one_key_never_exceed_its_rate_and_both_move(
    two: TwoProcesses, measured: Callable[[str], None]
) -> None:
    two.put(int(RATE * SECONDS))
    two.start("shop", "web")
    two.until(lambda: two.requests() > RATE)
    began, before = time.monotonic(), two.requests()
    time.sleep(SECONDS)
    after, ended = two.requests(), time.monotonic()
    delivered = two.delivered()
    two.stop()
    used = (after - before) / (ended - began) / RATE
    peak = two.shop.sandbox("stats")["peak_rate"]
    measured(f"rate {RATE}/s, two processes, {ended - began:.1f} s: {used:.1%} used, at most {peak} in a second")
    assert peak <= RATE
    assert used > 0.5
    assert min(delivered) >= sum(delivered) / 10, delivered
    (file,) = (two.shop.folder / "state").glob("*.rate")
    assert b"scenario-key" not in file.read_bytes()
    assert "within this process alone" not in (two.shop.folder / "shop.log").read_text()


def test_a_killed_process_leaves_its_rate_to_the_other_and_may_come_back(two: TwoProcesses) -> None:
    count = 100
    two.put(count)
    two.start("shop", "web")
    two.until(lambda: two.requests() > RATE)
    two.kill("shop")
    before = two.requests()
    two.until(lambda: two.requests() > before + RATE)
    two.start("shop")
    two.until(lambda: two.delivered() == [count, count])
    two.stop()
    assert two.shop.sandbox("stats")["peak_rate"] <= RATE

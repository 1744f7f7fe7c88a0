"""Two pipelines of one configuration and one API key, each run by a process of its own, against the sandbox."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, stop
from tests.support.waiting import until


class TwoRuns:
    """Pipelines `shop` and `web` of one configuration and one key, each run by a process of its own."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        text = shop.config.read_text().replace('after = "500ms"', 'after = "1h"')
        table = text[text.index("[pipelines.shop]") :]
        other = table.replace("[pipelines.shop]", "[pipelines.web]").replace('path = "inbox"', 'path = "inbox-web"')
        shop.config.write_text(f"{text}\n{other}")
        (shop.folder / "inbox-web").mkdir()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def put(self, count: int, first: int = 0) -> None:
        """So many receipts for each, of a contact that is soon known: one request a receipt."""
        for offset, inbox in ((0, "inbox"), (1_000_000, "inbox-web")):
            numbers = range(first + offset, first + offset + count)
            content = document([receipt_of(number, externalId="a") for number in numbers])
            path = self.shop.folder / "waiting"
            path.write_bytes(content)
            path.rename(self.shop.folder / inbox / f"{first}.jsonl")

    def start(self, *names: str) -> None:
        """`tillpost run --pipeline NAME`, for each."""
        for name in names:
            with (self.shop.folder / f"{name}.log").open("ab") as log:
                command = self.shop.command("run", "--pipeline", name)
                self.running[name] = subprocess.Popen(command, env=self.shop.environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """kill -9."""
        self.running[name].kill()
        self.running[name].wait()

    def stop(self) -> None:
        """As a service manager does, and each ends well."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            stop(process)

    def limit(self, rate: int) -> None:
        """From now on the sandbox answers 429 to each request that is one too many in its sliding second."""
        address, kind = f"{self.shop.ready['control']}/_sandbox/settings", {"Content-Type": "application/json"}
        body = json.dumps({"rate_limit": rate}).encode()
        urllib.request.urlopen(urllib.request.Request(address, body, kind), timeout=30).close()

    def answers(self) -> Counter[str]:
        """How many requests have arrived, by the status of their answer."""
        by_route = self.shop.sandbox("stats")["requests"].values()
        return sum((Counter(by_status) for by_status in by_route), Counter())

    def requests(self) -> int:
        """How many have arrived."""
        return self.answers().total()

    def delivered(self) -> list[int]:
        """How many of `shop` and of `web` are."""
        stand = self.shop.answers("status")[0]["pipelines"]
        return [stand[name]["counts"]["delivered"] for name in ("shop", "web")]

    def send(self, seconds: float) -> tuple[float, float]:
        """Let those that run send for so long: requests a second that arrived, and the seconds it was."""
        before, began = self.requests(), time.monotonic()
        time.sleep(seconds)
        after, ended = self.requests(), time.monotonic()
        return (after - before) / (ended - began), ended - began

    def until(self, condition: Callable[[], Any]) -> None:
        """Poll until the condition holds."""
        until(condition, why=(self.shop.folder / "shop.log").read_text)

    def end(self) -> None:
        """Whatever still runs is ended."""
        for process in self.running.values():
            process.kill()
            process.wait()

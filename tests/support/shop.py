"""A shop for scenario tests: the real sandbox and the real launcher, each in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Self

from tests.support.command import stands

KEY = "scenario-key"

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
anonymous = "externalId:HOUSE"
{own}
source    = {{ use = "folder", path = "inbox", settle = "0s", poll = "100ms" }}
adapter   = {{ {adapter} }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId", "email", "mobilePhone"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, rate = {rate}, timeout = "5s", \
attempts = 3, wait_initial = "100ms", wait_max = "500ms", confirm_after = "1500ms" }}
fallback  = {{ use = "engage-xml", after = "500ms", every = "500ms", check_every = "300ms", confirm_within = "120s" }}
transfer  = {{ use = "sftp", host = "127.0.0.1", port = {sftp}, user = "{user}", \
password = {{ env = "SFTP_PASSWORD" }}, host_key = "{host_key}", path = "{path}", \
wait_initial = "200ms", wait_max = "1s" }}
"""


class Shop:
    """A folder with inbox and configuration, a running sandbox, and `tillpost` commands on them."""

    def __init__(self, folder: Path, adapter: str = 'use = "receipts"', rate: int = 190, own: str = "") -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self.inbox = folder / "inbox"
        self.inbox.mkdir(parents=True)
        self._sandbox = subprocess.Popen(
            [sys.executable, "-m", "tillpost", "sandbox", "--http", "0", "--sftp", "0", "--api-key", KEY,
             "--dir", str(folder / "sandbox"), "--import-every", "0.5", "--import-files-every", "0.3",
             "--rate-limit", "100000"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._sandbox.stdout is not None
        self.ready = json.loads(self._sandbox.stdout.readline())
        self.config = folder / "tillpost.toml"
        self.config.write_text(CONFIG.format(adapter=adapter, rate=rate, own=own, **self.ready))
        self.environment = os.environ | {"ENGAGE_API_KEY": KEY, "SFTP_PASSWORD": self.ready["password"]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:  # what a test that failed has left
            process.kill()
            process.wait()
        self._sandbox.send_signal(signal.SIGTERM)
        self._sandbox.wait(20)
        assert self._sandbox.stdout is not None
        self._sandbox.stdout.close()

    def command(self, *words: str) -> list[str]:
        """The command line of `tillpost …` with this shop's configuration."""
        return [sys.executable, "-m", "tillpost", "--config", str(self.config), *words]

    def tillpost(self, *words: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """`tillpost run` in the background; its output goes to a file of the shop."""
        with (self.folder / "run.log").open("ab") as log:
            process = subprocess.Popen(self.command("run", *options), env=self.environment, stdout=log, stderr=log)
        self._started.append(process)
        return process

    def answers(self, *words: str) -> list[dict[str, Any]]:
        """The JSON lines a command prints."""
        done = self.tillpost(*words, "--json")
        assert done.returncode in (0, 1), done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def status(self) -> dict[str, Any]:
        """What `tillpost status --json` says of the pipeline."""
        return stands(self.config)["shop"]

    def wait_for(self, condition: Any, seconds: float = 60.0) -> dict[str, Any]:
        """Poll the status until the condition holds; fails with the last status after so many seconds."""
        end = time.monotonic() + seconds
        while not condition(stand := self.status()):
            assert time.monotonic() < end, f"not within {seconds} s: {stand}"
            time.sleep(0.1)
        return stand

    def sandbox(self, path: str) -> Any:
        """What the sandbox says at /_sandbox/…"""
        with urllib.request.urlopen(f"{self.ready['control']}/_sandbox/{path}", timeout=30) as answer:
            return json.load(answer)

    def fault(self, **faults: str) -> None:
        """Set the sandbox's faults, such as http="refuse"."""
        request = urllib.request.Request(
            f"{self.ready['control']}/_sandbox/faults",
            json.dumps(faults).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()

    def put(self, name: str, content: bytes) -> None:
        """A document appears in the inbox, whole."""
        (self.folder / name).write_bytes(content)
        (self.folder / name).rename(self.inbox / name)


def saved(shop: Shop) -> Counter[str]:
    there = shop.sandbox("receipts")
    rows = there["receipts"] if isinstance(there, dict) else there
    return Counter(row["uniqueReceiptId"] for row in rows)


def settled(count: int) -> Any:
    return lambda stand: (
        stand["counts"]["delivered"] == count and stand["files"]["confirmed"] == sum(stand["files"].values())
    )


def stop(process: Any) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def configure(shop: Shop, old: str, new: str) -> None:
    text = shop.config.read_text()
    assert old in text
    shop.config.write_text(text.replace(old, new))


def control(shop: Shop, name: str, **body: object) -> None:
    url, kind = f"{shop.ready['control']}/_sandbox/{name}", {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), kind), timeout=30).close()

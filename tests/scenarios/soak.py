"""A soak: a shop at work for a while, with faults at random; at its end no record is unaccounted for.

    python -m tests.scenarios.soak [--seconds 3600] [--seed 7] [--folder FOLDER]

An Engage of another hand (../shared/oracle) with its import folder, the real launcher, and a till that sells all the
while. Faults: plugins that raise and exit, documents that cannot be read, merges, erasures, receipts and stores that
Engage leaves out without a word, outages of the API and of the file server, kill -9, and flipped bits in the WAL.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Self

import attrs

from tests.support.installed import installed
from tests.support.left_wal import flip
from tests.support.oracle import API_KEY, EVERYTHING, PASSWORD, USER, import_folder, running_oracle
from tests.support.receipts import document, receipt_of
from tests.support.tcp_proxy import Proxy
from tillpost.model import Receipt

CONFIG = """
[tillpost]
state = "state"

[alerts]
every   = "1s"
command = ["{python}", "{folder}/alerted.py"]
unverified = "40s"
fallback   = "4s"

[pipelines.shop]
source    = {{ use = "folder", path = "inbox", settle = "0s", poll = "200ms" }}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
amend     = [ {{ use = "faulty" }} ]
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, rate = 200, timeout = "5s", \
wait_initial = "100ms", wait_max = "500ms", confirm_after = "2s", confirm_within = "20s" }}
fallback  = {{ use = "engage-xml", after = "1s", every = "1s", check_every = "500ms", confirm_within = "60s" }}
transfer  = {{ use = "sftp", host = "127.0.0.1", port = {port}, user = "{user}", \
password = {{ env = "SFTP_PASSWORD" }}, host_key = "{host_key}", wait_initial = "200ms", wait_max = "1s", \
probe_every = "10s" }}
"""
FAULTY = """
import attrs
from tillpost import hookimpl, simple

@attrs.frozen
class Settings:
    pass

class Faulty:
    @hookimpl
    def amend_payload(self, payload, receipt):
        for every, error in ((211, RuntimeError), (307, SystemExit), (401, KeyboardInterrupt)):
            if int(receipt.number) % every == 0:
                raise error("planted")
        return None

plugin = simple("raises for some receipts", "amend", Settings, lambda settings, context: Faulty())
"""
ALERTED = """
import sys
from pathlib import Path

with Path(__file__).with_name("alerts.jsonl").open("a") as file:
    file.write(sys.stdin.read().replace("\\n", " ") + "\\n")
"""
STORE, UNKNOWN_STORE = "12", "99"
CUSTOMERS = 1500
SHARE_LEFT_OUT = 0.01
TOLD = {
    "broken record": ["unknown key"],
    "unknown store": [f"(store {UNKNOWN_STORE})"],
    "unreadable": ["unreadable-"],
    "API away": ["no answer of the destination", "paused"],
    "file server away": ["the file server cannot be used"],
    "plugin": ["raised RuntimeError", "raised SystemExit", "raised KeyboardInterrupt"],
    "left out": ["Engage does not show it"],
}
"""Kind of fault → words of its alert. What was merged or erased is identified and sent again, without an alert."""
UNREAD_FOR = 330.0
"""Seconds after which a document that cannot be read has its alert: its source may read it yet."""
PLUGIN_RAISES = (211, 307, 401)


@attrs.define
class Planted:
    """What was planted. counts: by kind of fault."""

    counts: Counter[str] = attrs.field(factory=Counter)
    unreadable: dict[str, float] = attrs.field(factory=dict)
    """Names of documents nobody can read, and when each came, in seconds of the monotonic clock."""
    broken: int = 0
    """Records that are not receipts."""


class Soak:
    """The shop, its destination and its faults; ends with the block."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, Random(seed)
        self.planted = Planted()
        self.sold: dict[str, str] = {}
        """Receipt id → the document it is in."""
        self._number = 0
        self._documents = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for name in ("inbox", "import"):
            (self.folder / name).mkdir()
        self.oracle = self._stack.enter_context(
            running_oracle(**EVERYTHING, import_delay=1.0, ignore_share=SHARE_LEFT_OUT, stores=[STORE])
        )
        files = self._stack.enter_context(import_folder(self.oracle, self.folder / "import"))
        self.proxy = self._stack.enter_context(Proxy([(0, files.port)]))
        (self.folder / "alerted.py").write_text(ALERTED)
        (self.folder / "tillpost.toml").write_text(
            CONFIG.format(
                python=sys.executable, folder=self.folder, url=self.oracle.url, port=self.proxy.port, user=USER,
                host_key=files.host_key,
            )
        )  # fmt: skip
        own = os.environ | {"ENGAGE_API_KEY": API_KEY, "SFTP_PASSWORD": PASSWORD}
        self.environment = installed(self.folder / "site", own, faulty=FAULTY)
        self.run()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._stack.close()

    # --- the shop ------------------------------------------------------------------------------------------------

    def tillpost(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tillpost", "--config", str(self.folder / "tillpost.toml"), *words],
            env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def run(self) -> None:
        """Start `tillpost run`, as a supervisor does it."""
        with (self.folder / "run.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tillpost", "--config", str(self.folder / "tillpost.toml"), "run"],
                env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def sell(self) -> None:
        """A till writes a document."""
        receipts: list[Receipt] = []
        for _ in range(self.random.randint(1, 12)):
            self._number += 1
            self.planted.counts["plugin"] += any(not self._number % every for every in PLUGIN_RAISES)
            receipt = receipt_of(self._number, externalId=f"c{self.random.randrange(CUSTOMERS)}")
            moment = datetime.now().astimezone().replace(microsecond=0)
            receipt = attrs.evolve(receipt, created=moment, business_date=moment.date())
            if self.random.random() < 0.01:
                self.planted.counts["unknown store"] += 1
                receipt = attrs.evolve(receipt, id=f"{UNKNOWN_STORE}-{self._number}", store=UNKNOWN_STORE)
            receipts.append(receipt)
        content = document(receipts)
        if self.random.random() < 0.05:
            content += b'{"not": "a receipt"}\n'
            self.planted.broken += 1
            self.planted.counts["broken record"] += 1
        self._documents += 1
        name = f"day-{self._documents:06}.jsonl"
        (self.folder / name).write_bytes(content)
        (self.folder / name).rename(self.folder / "inbox" / name)
        self.sold |= {receipt.id: name for receipt in receipts}

    # --- faults --------------------------------------------------------------------------------------------------

    def trouble(self) -> None:
        """One fault at random."""
        kinds: dict[str, tuple[float, Callable[[], None]]] = {
            "merge": (4, self._merge), "erase": (1, self._erase), "unreadable": (1, self._unreadable),
            "API away": (1.5, self._api_away), "file server away": (1, self._file_server_away),
            "kill": (2, self._kill), "flipped bit": (1, self._flip),
        }  # fmt: skip
        kind = self.random.choices(list(kinds), [weight for weight, _ in kinds.values()])[0]
        self.planted.counts[kind] += 1
        kinds[kind][1]()

    def _merge(self) -> None:
        people = sorted(self.oracle.state()["contacts"])
        if len(people) > 20:
            gone, into = self.random.sample(people, 2)
            self.oracle.merge(gone, into)

    def _erase(self) -> None:
        people = sorted(self.oracle.state()["contacts"])
        if len(people) > 20:
            self.oracle.erase(self.random.choice(people))

    def _unreadable(self) -> None:
        name = f"unreadable-{self.planted.counts['unreadable']}.jsonl"
        self.planted.unreadable[name] = time.monotonic()
        (self.folder / "inbox" / name).symlink_to(self.folder / "nowhere")

    def _api_away(self) -> None:
        self.oracle.mode(http=self.random.choice(["500", "503", "cut", "html"]))
        self._work(self.random.uniform(7, 12))
        self.oracle.mode(http="ok")

    def _file_server_away(self) -> None:
        self.proxy.refuse()
        self._api_away()
        self._work(14.0)
        self.proxy.accept()

    def _kill(self) -> None:
        self.kill()
        self.run()

    def _flip(self) -> None:
        self.kill()
        wal = self.folder / "state" / "shop" / "journal.db-wal"
        if wal.exists() and wal.stat().st_size > 4096:
            flip(wal, self.random.randrange(32 * 8, wal.stat().st_size * 8))
        self.run()
        self._work(3.0)
        if not self.is_running():
            # It says what to do; a person does it.
            self.planted.counts["repair by a person"] += 1
            done = self.tillpost("journal", "repair")
            assert done.returncode in (0, 1), done.stdout + done.stderr
            self.run()
        # What a damage hit is read again: receipts are idempotent.
        for path in sorted((self.folder / "inbox" / "done").rglob("day-*.jsonl"))[-40:]:
            path.rename(self.folder / "inbox" / f"again-{time.monotonic_ns()}-{path.name}")

    def _work(self, seconds: float) -> None:
        """The till sells on for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.sell()
            time.sleep(self.random.uniform(0.05, 0.4))

    def soak(self, seconds: float) -> None:
        """Sell, with a fault every few seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._work(self.random.uniform(1, 6))
            if not self.is_running():
                self.planted.counts["ended by itself"] += 1
                self.run()
            self.trouble()

    # --- the end -------------------------------------------------------------------------------------------------

    def account(self) -> dict[str, Any]:
        """What `tillpost account` says."""
        account: dict[str, Any] = json.loads(self.tillpost("account", "--json").stdout)["pipelines"]["shop"][0]
        return account

    def settle(self, within: float = 240.0) -> dict[str, Any]:
        """Wait until nothing is on its way and every history was read; within: seconds without any progress."""
        least, end = math.inf, time.monotonic() + within
        while True:
            account = self.account()
            receipts, unread = account["receipts"], len(list((self.folder / "inbox").glob("*day-*.jsonl")))
            left = receipts["on_the_way"] + receipts["accepted_by_api"] + receipts["accepted_by_import"] + unread
            if not left:
                return account
            if left < least:
                least, end = left, time.monotonic() + within
            assert time.monotonic() < end, f"not settled, and nothing moved for {within:g} s: {account}"
            time.sleep(1)

    def check(self) -> dict[str, Any]:
        """Nothing is unaccounted for, and each kind of trouble was told. Returns the figures."""
        account = self.settle()
        rows = {row["id"]: row for row in map(json.loads, self.tillpost("receipts", "--json").stdout.splitlines())}
        missing = {receipt_id: name for receipt_id, name in self.sold.items() if receipt_id not in rows}
        assert not missing, f"sold and in no journal: {missing}"
        shown = self.oracle.state()
        (self.folder / "engage.json").write_text(json.dumps(shown))
        believed = {
            receipt_id: row["reason"]
            for receipt_id, row in rows.items()
            if row["state"] == "held" and "Engage does not show it" in row["reason"] and receipt_id in shown["receipts"]
        }
        for receipt_id, row in rows.items():
            if row["state"] == "delivered":
                assert row["confirmed"] == "verified", row
                assert receipt_id in shown["receipts"], f"{receipt_id} counts as verified, and Engage does not show it"
            else:
                assert row["state"] in ("held", "skipped"), row
                assert row["reason"], row
        self.planted.counts["left out"] = len(shown["ignored"])
        left_out = {receipt_id for receipt_id, *_ in shown["ignored"]} - shown["receipts"].keys()
        assert all(rows[receipt_id]["state"] == "held" for receipt_id in left_out), left_out
        assert shown["bad"] == [], shown["bad"]
        assert account["broken"]["held"] >= bool(self.planted.broken)
        assert self.planted.unreadable.keys() <= account["unread"].keys(), account["unread"]
        assert not (untold := self.untold()), f"planted, and no alert says so: {untold} in {self.alerts()}"
        verified = self.tillpost("journal", "verify")
        assert verified.returncode == 0, verified.stdout
        return {
            "sold": len(self.sold), "documents": self._documents, "planted": dict(self.planted.counts),
            "account": account, "left out by Engage": len(left_out), "held though shown": believed,
            "alerts": self.alerts(),
        }  # fmt: skip

    def alerts(self) -> list[str]:
        """What the alerts that were raised say."""
        path = self.folder / "alerts.jsonl"
        notices = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [str(notice["what"]) for notice in notices if notice["event"] == "raised"]

    def untold(self) -> list[str]:
        """The kinds of fault that were planted and of which no alert says anything."""
        alerts = self.alerts()
        waited = time.monotonic() - min(self.planted.unreadable.values(), default=time.monotonic())
        too_new = {"unreadable"} if waited < UNREAD_FOR else set[str]()
        return [
            kind
            for kind, words in TOLD.items()
            if self.planted.counts[kind] and not any(word in what for what in alerts for word in words)
            if kind not in too_new
        ]


def main() -> None:
    """Run a soak and print its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    with Soak(folder, given.seed) as soak:
        soak.soak(given.seconds)
        print(json.dumps(soak.check(), indent=2))


if __name__ == "__main__":
    main()

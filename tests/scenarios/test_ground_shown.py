"""What was acknowledged before the ground under the journal gave way is shown by an Engage of another hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.left_wal import flip, killed
from tests.support.oracle import API_KEY, EVERYTHING, Oracle, running_oracle
from tests.support.receipts import document, found, receipt_of
from tests.support.waiting import until

pytestmark = pytest.mark.slow

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
source    = {{ use = "folder", path = "inbox", settle = "0s", poll = "100ms" }}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, timeout = "5s" }}
"""
FRAME, HEADER = 4096 + 24, 32


@attrs.frozen
class Till:
    """A folder with inbox and configuration, and `tillpost` commands on it."""

    folder: Path
    oracle: Oracle
    environment: dict[str, str]

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "shop" / "journal.db"

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tillpost", "--config", str(self.folder / "tillpost.toml"), *words]

    def tillpost(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    def sell(self, *numbers: int) -> set[str]:
        receipts = [receipt_of(number, externalId=f"c{number % 7}") for number in numbers]
        (self.folder / "new.jsonl").write_bytes(document(receipts))
        (self.folder / "new.jsonl").rename(self.folder / "inbox" / f"{numbers[0]}.jsonl")
        return {receipt.id for receipt in receipts}


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    (tmp_path / "inbox").mkdir()
    with running_oracle(**EVERYTHING) as oracle:
        (tmp_path / "tillpost.toml").write_text(CONFIG.format(url=oracle.url))
        yield Till(tmp_path, oracle, os.environ | {"ENGAGE_API_KEY": API_KEY})


@pytest.mark.parametrize(
    "byte",
    [9, HEADER + 3 * FRAME + 2000, HEADER + 60 * FRAME + 5, HEADER + 61 * FRAME + 2000, -2000],
    ids=["header", "among the first", "head of a frame", "in a page", "last frame"],
)
def test_b19_what_a_kill_left_and_a_bit_changed_is_shown_or_told(till: Till, byte: int) -> None:
    acknowledged = {found(number=number).receipt.id for number in killed(till.journal.parent, 20)}
    wal = till.journal.with_name("journal.db-wal")
    flip(wal, byte % wal.stat().st_size * 8 + 3)
    done = till.tillpost("run", "--until-idle")
    assert "Traceback" not in done.stderr
    missing = acknowledged - till.oracle.state()["receipts"].keys()
    losses = [json.loads(line) for line in till.tillpost("journal", "losses", "--json").stdout.splitlines()]
    assert not missing or losses, f"{missing} are gone, and nothing says so"
    assert not missing, (missing, losses)
    assert till.oracle.state()["repeated"] == []


def test_b17_what_was_acknowledged_before_the_journal_was_deleted_is_shown(till: Till) -> None:
    till.oracle.mode(http="503")
    with (till.folder / "run.log").open("w") as log:
        process = subprocess.Popen(till.command("run"), env=till.environment, stdout=log, stderr=log)
    try:
        sold = till.sell(1, 2, 3)
        until(lambda: not list((till.folder / "inbox").glob("*.jsonl")), 30, process=process)
        till.journal.unlink()
        sold |= till.sell(4, 5)
        until(lambda: "nothing more is acknowledged" in (till.folder / "run.log").read_text(), 30, process=process)
        assert (till.folder / "inbox" / "4.jsonl").exists(), "its source keeps its copy"
        till.journal.with_name("journal.db.rescued").rename(till.journal)
        till.oracle.mode(http="ok")
        until(lambda: till.oracle.state()["receipts"].keys() == sold, 60, process=process)
    finally:
        process.kill()
        process.wait()
    assert till.tillpost("journal", "verify").returncode == 0

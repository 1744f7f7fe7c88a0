"""B34, against an Engage of another hand: one contact whose lookup always answers 500, with and without an outage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.oracle import (
    API_KEY,
    EVERYTHING,
    PASSWORD,
    USER,
    ImportFolder,
    Oracle,
    import_folder,
    running_oracle,
)
from tests.support.receipts import document, receipt_of
from tests.support.waiting import until

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
source    = {{ use = "folder", path = "inbox", settle = "0s", poll = "100ms" }}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, timeout = "2s", \
wait_initial = "200ms", wait_max = "1s", confirm_after = "1s" }}
fallback  = {{ use = "engage-xml", after = "1s", every = "1s", check_every = "1s" }}
transfer  = {{ use = "sftp", host = "127.0.0.1", port = {port}, user = "{user}", \
password = {{ env = "SFTP_PASSWORD" }}, host_key = "{host_key}", wait_initial = "100ms", wait_max = "300ms" }}
"""
COUNT = 45


class _Line:
    """A running pipeline with an inbox."""

    def __init__(self, folder: Path, oracle: Oracle, files: ImportFolder) -> None:
        (folder / "inbox").mkdir()
        self.folder, self.file = folder, folder / "tillpost.toml"
        self.file.write_text(CONFIG.format(url=oracle.url, port=files.port, user=USER, host_key=files.host_key))
        self.environment = os.environ | {"ENGAGE_API_KEY": API_KEY, "SFTP_PASSWORD": PASSWORD}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tillpost", "--config", str(self.file), *words]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(self.command("run", "--json"), env=self.environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def put(self, first: int, count: int) -> set[str]:
        receipts = [receipt_of(number, externalId=f"c{number}") for number in range(first, first + count)]
        (self.folder / "new").write_bytes(document(receipts))
        (self.folder / "new").rename(self.folder / "inbox" / f"{first}.jsonl")
        return {receipt.id for receipt in receipts}

    def states(self) -> list[str]:
        """The changes of the destination's state, as `run` prints them."""
        lines = (self.folder / "log").read_bytes().splitlines()
        events = [json.loads(line) for line in lines if line.startswith(b'{"event"') or line.startswith(b'{"pipeline"')]
        return [str(event["state"]) for event in events if event.get("event") == "state"]

    def files(self) -> list[Path]:
        return list((self.folder / "state" / "shop" / "fallback").glob("**/*_transactions.xml"))


@pytest.mark.parametrize("modes", [{}, EVERYTHING], ids=["documented", "everything"])
def test_b34_one_sick_contact_after_an_outage_keeps_no_good_receipt_back_and_nothing_flaps(
    tmp_path: Path, modes: dict[str, Any]
) -> None:
    with running_oracle(**modes) as oracle, import_folder(oracle, tmp_path / "import") as files:
        line = _Line(tmp_path, oracle, files)
        with line.running() as process:
            oracle.mode(http="503")
            ids = line.put(1, COUNT)
            until(lambda: line.files(), 60, process=process)
            before = len(line.states())
            assert line.states()[:2] == ["online", "degraded"]
            oracle.mode(http="ok", sick=["c7"])
            until(lambda: len(oracle.state()["receipts"]) == COUNT - 1, 60, process=process, why=line.states)
            moved = line.states()[before:]
            assert moved.count("degraded") == 0, moved
            assert len(moved) <= 4, moved
        missing = ids - oracle.state()["receipts"].keys()
        assert len(missing) == 1
        assert oracle.state()["bad"] == []


def test_b34_one_sick_contact_without_an_outage_costs_the_others_next_to_nothing(tmp_path: Path) -> None:
    with running_oracle(sick=["c7"]) as oracle, import_folder(oracle, tmp_path / "import") as files:
        line = _Line(tmp_path, oracle, files)
        with line.running() as process:
            line.put(1, COUNT)
            until(lambda: len(oracle.state()["receipts"]) == COUNT - 1, 60, process=process, why=line.states)
            line.put(100, COUNT)
            until(lambda: len(oracle.state()["receipts"]) == 2 * COUNT - 1, 60, process=process, why=line.states)
            assert line.states() == ["online"]

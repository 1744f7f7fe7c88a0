"""A day by API and by file, against an Engage of another hand that knows the documented contract only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import stands
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
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, timeout = "2s", \
wait_initial = "100ms", wait_max = "300ms", confirm_after = "1s" }}
fallback  = {{ use = "engage-xml", after = "1s", every = "1s", check_every = "1s" }}
transfer  = {{ use = "sftp", host = "127.0.0.1", port = {port}, user = "{user}", \
password = {{ env = "SFTP_PASSWORD" }}, host_key = "{host_key}", \
wait_initial = "100ms", wait_max = "300ms" }}
"""


def _tillpost(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "tillpost", "--config", str(folder / "tillpost.toml"), *words]


def _environment() -> dict[str, str]:
    return {**os.environ, "ENGAGE_API_KEY": API_KEY, "SFTP_PASSWORD": PASSWORD}


def _accept(folder: Path, name: str, receipts: list[Any]) -> None:
    (folder / name).write_bytes(document(receipts))
    subprocess.run(_tillpost(folder, "accept", str(folder / name)), env=_environment(), check=True, timeout=60)


def _configure(folder: Path, oracle: Oracle, files: ImportFolder) -> None:
    (folder / "tillpost.toml").write_text(
        CONFIG.format(url=oracle.url, port=files.port, user=USER, host_key=files.host_key)
    )


@contextmanager
def _running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(_tillpost(folder, "run"), env=_environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def _verification(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = stands(folder / "tillpost.toml")["shop"]["verification"]
    return found


def _files(folder: Path) -> list[Path]:
    return list((folder / "state" / "shop" / "fallback").glob("**/*_transactions.xml"))


@pytest.mark.parametrize("modes", [EVERYTHING, {}], ids=["everything", "documented"])
def test_each_receipt_is_shown_by_api_and_by_file(tmp_path: Path, modes: dict[str, Any]) -> None:
    with running_oracle(**modes) as oracle, import_folder(oracle, tmp_path / "import") as files:
        _configure(tmp_path, oracle, files)
        first = [receipt_of(number, externalId=f"c{number % 5}") for number in range(20)]
        second = [receipt_of(number, externalId=f"c{number % 9}") for number in range(20, 50)]
        _accept(tmp_path, "first.jsonl", first)
        with _running(tmp_path) as process:
            until(lambda: len(oracle.state()["receipts"]) == len(first), 30, process=process)
            oracle.mode(http="500")
            _accept(tmp_path, "second.jsonl", second)
            until(lambda: _files(tmp_path), 30, process=process)
            oracle.mode(http="ok")
            until(lambda: len(oracle.state()["receipts"]) == len(first) + len(second), 60, process=process)
            if modes:
                until(lambda: _verification(tmp_path)["share"] == 1.0, 60, process=process)
            else:
                until(lambda: _verification(tmp_path)["history"] == "not to be had", 60, process=process)
        state = oracle.state()
    assert state["receipts"].keys() == {receipt.id for receipt in (*first, *second)}
    assert state["bad"] == []
    assert len(state["contacts"]) == 9

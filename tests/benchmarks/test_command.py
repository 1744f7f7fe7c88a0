"""The one command, on its smallest size, so that it does not rot: what was carried and kept, never how fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import environment
from tests.benchmarks.process import BenchmarkFailed

ROOT = Path(__file__).parents[2]


def command(folder: Path, *words: str) -> dict[str, Any]:
    file = folder / "figures.json"
    common = ["--quick", "--runs", "1", "--dir", str(folder), "--json", str(file), "--who", "Tillpost", "urllib3 loop"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *common, *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "| goal" in done.stdout
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_a_quick_race_carries_every_receipt(tmp_path: Path) -> None:
    results = command(tmp_path, "--only", "races", "--receipts", "200")
    for race in results["races"].values():
        (made,) = race["rounds"]
        for name in ("Tillpost", "urllib3 loop"):
            assert made[name]["lost"] == made[name]["repeated"] == 0
            assert made[name]["receipts"] > 20
            assert made[name]["rate"] > 0
            assert made[name]["cpu"] > 0
            assert made[name]["peak"] > 5
    assert not results["failed"]


def test_a_quick_kill_is_told_in_receipts(tmp_path: Path) -> None:
    results = command(tmp_path, "--only", "kill")
    (trial,) = results["kill"]["Tillpost"]
    assert trial["lost"] == 0
    assert trial["repeated"] <= trial["in_flight"]


def test_urllib3_is_the_real_one_or_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.check_urllib3()
    monkeypatch.setattr(environment, "packages_distributions", lambda: {"urllib3": ["urllib3-future"]})
    with pytest.raises(BenchmarkFailed, match="loads urllib3-future"):
        environment.check_urllib3()

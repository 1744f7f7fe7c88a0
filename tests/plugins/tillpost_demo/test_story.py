"""The demo itself, as a user starts it: real processes, real sockets, a real outage."""

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tillpost import UsageError
from tillpost_demo import run

DEMO = [sys.executable, "-m", "tillpost", "demo"]


def test_a_day_goes_through_an_outage_and_is_verified(tmp_path: Path) -> None:
    report = tmp_path / "day.html"
    done = subprocess.run(
        [*DEMO, "--seed", "4", "--dir", str(tmp_path / "demo"), "--report", str(report), "--json"],
        capture_output=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["lost"], found["duplicated"], found["held"]) == (0, 0, 0)
    assert found["accepted"] + found["skipped"] == 120
    assert found["delivered_api"] + found["delivered_file"] == found["accepted"] == found["sandbox_receipts"]
    assert found["delivered_file"] > 0
    assert found["delivered_api"] > 0
    assert found["contacts_created"] > 0
    assert found["contacts_reconciled"] > 0
    assert Decimal(found["total_accepted"]) == Decimal(found["total_sandbox"])
    assert found["report"] == str(report)
    assert "VERIFIED: " in report.read_text("utf-8")
    assert _children_of(tmp_path) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_sigterm_in_the_middle_ends_the_children_too(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with (tmp_path / "out").open("wb") as out:
        demo = subprocess.Popen([*DEMO, "--dir", str(folder)], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while len(seen := _children_of(folder)) < 2 and time.monotonic() < deadline and demo.poll() is None:
                time.sleep(0.1)
            assert len(seen) >= 2, (tmp_path / "out").read_text()  # judged by one look: the short-lived ones end
            demo.send_signal(signal.SIGTERM)
            assert demo.wait(60) != 0
        finally:
            demo.kill()
            demo.wait()
    assert _children_of(folder) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="new or empty"):
        _run(tmp_path, None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_export_needs_its_adapter_and_an_adapter_its_export(tmp_path: Path) -> None:
    export = tmp_path / "export.jsonl"
    export.write_text("{}\n")
    with pytest.raises(UsageError, match="needs --adapter"):
        _run(tmp_path / "new", export, None)
    with pytest.raises(UsageError, match="needs --from"):
        _run(tmp_path / "new", None, "receipts")
    with pytest.raises(UsageError, match="no such file"):
        _run(tmp_path / "new", tmp_path / "absent", "receipts")


def _run(folder: Path, from_file: Path | None, adapter: str | None) -> int:
    return run(
        from_file=from_file,
        adapter=adapter,
        anonymous=None,
        timezone=None,
        seed=1,
        receipts=5,
        dir=folder,
        report=None,
        as_json=False,
        echo=lambda _: None,
    )


def _children_of(folder: Path) -> list[str]:
    """The command lines of processes that name the folder, the demo itself omitted."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(path.parent.name) != os.getpid() and str(folder) in line and " demo " not in line:
            found.append(line)
    return found

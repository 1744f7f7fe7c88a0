"""The drill: the operator's own limits are rehearsed, and nothing real is touched."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost import UsageError
from tillpost.model.receipt_json import dumps
from tillpost_demo.drill import run
from tillpost_demo.fit import judge_limits
from tillpost_demo.generator import make_day
from tillpost_demo.outcome import Outcome
from tillpost_demo.rehearsal import Rehearsal, check, factor_for, write_rehearsal
from tillpost_demo.text import duration_text

CONFIG = """
[tillpost]
state = "state"

[pipelines.other]
adapter   = {{ use = "receipts" }}
resolve   = {{ use = "known" }}
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ file = "key" }} }}

[pipelines.shop]
anonymous = "externalId:HOUSE"
source    = {{ use = "folder", path = "inbox" }}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ file = "key" }}, wait_initial = "100ms", \
wait_max = "500ms", confirm_after = "15m" }}
fallback  = {{ use = "engage-xml", after = "1s", every = "500ms", check_every = "300ms", confirm_within = "{within}" }}
transfer  = {{ use = "sftp", host = "127.0.0.1", port = {port}, user = "till", password = {{ env = "SFTP_PASSWORD" }}, \
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICWKN44Wd0qoYUFm2oDJvhJzKNj/72JvYhnpkL8PxNFi" }}
"""


@pytest.fixture
def real() -> Iterator[socket.socket]:
    """Where the configuration says that Engage and the file server are: nobody may come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def drill(folder: Path, real: socket.socket, *words: str, within: str = "3h") -> subprocess.CompletedProcess[str]:
    port = real.getsockname()[1]
    (folder / "key").write_text("the-real-key")
    (folder / "tillpost.toml").write_text(CONFIG.format(url=f"http://127.0.0.1:{port}", port=port, within=within))
    return subprocess.run(
        [sys.executable, "-m", "tillpost", "--config", str(folder / "tillpost.toml"), "drill", "outage", *words],
        env=os.environ | {"SFTP_PASSWORD": "the-real-password", "TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def untouched(folder: Path, real: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        real.accept()
    assert not (folder / "state").exists()
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.slow
def test_documents_of_ones_own_go_through_an_outage_and_nothing_real_is_touched(
    tmp_path: Path, real: socket.socket
) -> None:
    """In real time, with short limits: files are written, nothing is lost, and the drill leaves only its report."""
    (tmp_path / "tmp").mkdir()
    files = []
    for number, receipt in enumerate(make_day(3, 24).receipts):
        files += ["--from", str(tmp_path / f"{number}.jsonl")]
        (tmp_path / f"{number}.jsonl").write_bytes(dumps(receipt))
    done = drill(
        tmp_path, real, "--pipeline", "shop", "--for", "5s", *files, "--json", "--report", str(tmp_path / "r.html")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["lost"], found["duplicated"], found["held"], found["unsettled"]) == (0, 0, 0, 0)
    assert found["accepted"] == 24 == found["sandbox_receipts"]
    assert found["delivered_file"] > 0
    assert (found["divided_by"], found["outage_seconds"], found["actions"]) == (1, 5.0, [])
    states = [row["state"] for row in found["timeline"]]
    assert states[:2] == ["degraded", "fallback"]
    assert states[-1] == "online"
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "Tillpost drill" in page
    assert "fallback.after" in page
    untouched(tmp_path, real)


@pytest.mark.slow
def test_limits_that_do_not_fit_are_named_and_need_a_person(tmp_path: Path, real: socket.socket) -> None:
    """Everything arrives, and yet: Engage is slower than the sandbox, so a short confirm_within would hold receipts."""
    (tmp_path / "tmp").mkdir()
    done = drill(tmp_path, real, "-p", "shop", "--for", "60s", "--quick", "--receipts", "20", "--json", within="30m")
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1, done.stdout
    assert found["verified"]
    assert found["divided_by"] > 1
    (needed,) = found["actions"] or [done.stdout]
    assert needed.startswith("fallback.confirm_within: 30m")
    assert f"divided by {found['divided_by']}" in done.stdout
    untouched(tmp_path, real)


def test_a_file_with_several_pipelines_needs_one_to_be_named(tmp_path: Path, real: socket.socket) -> None:
    done = drill(tmp_path, real, "--for", "1s")
    assert (done.returncode, "--pipeline" in done.stderr) == (2, True)


PIPELINE: dict[str, Any] = {
    "receipt_id": "{store}_{till}_{date}_{number}",
    "workers": 4,
    "unknown_contact": "hold",
    "adapter": {"use": "poslog", "timezone": "Europe/Stockholm"},
    "resolve": [{"use": "known"}, {"use": "engage", "keys": ["email"]}],
    "map": {"use": "engage"},
    "observe": [{"use": "pager"}],
    "transport": {
        "use": "engage", "url": "https://real.example.com", "api_key": {"env": "REAL"}, "attempts": 6,
        "wait_initial": timedelta(seconds=10), "wait_max": timedelta(minutes=5), "confirm_after": timedelta(minutes=20),
    },
    "fallback": {
        "use": "engage-xml", "after": timedelta(minutes=15), "every": timedelta(minutes=5),
        "check_every": timedelta(minutes=5), "confirm_within": timedelta(hours=24), "receipts_folder": "incoming",
    },
    "transfer": {
        "use": "ftps", "host": "ftp.example.com", "password": {"env": "REAL"}, "wait_initial": timedelta(seconds=10),
        "wait_max": timedelta(minutes=5),
    },
}  # fmt: skip
ENGAGE = {"url": "http://127.0.0.1:1", "sftp": 2, "user": "till", "host_key": "ssh-ed25519 x", "path": "/integration"}


def rehearsal(**given: Any) -> Rehearsal:
    values: dict[str, Any] = {
        "name": "shop",
        "pipeline": PIPELINE,
        "length": timedelta(minutes=10),
        "factor": 1,
        "generated": True,
    }
    return Rehearsal(**values | given)


def test_what_is_replaced_is_listed(tmp_path: Path) -> None:
    """No address, key, password or folder of the real destination is in the drill's file; another transfer is named."""
    written = write_rehearsal(rehearsal(), tmp_path, ENGAGE, "state").read_text()
    for real in ("real.example.com", "ftp.example.com", "REAL", "incoming", "pager", "ftps"):
        assert real not in written
    listed = "\n".join(rehearsal().replaced())
    for text in ("`ftps` itself was not rehearsed", "observe: omitted", "`receipts` reads the generated receipts"):
        assert text in listed


def test_a_quick_drill_divides_every_duration_by_one_factor(tmp_path: Path) -> None:
    factor = factor_for(PIPELINE, timedelta(minutes=10))
    assert 20 < factor < 200
    written = write_rehearsal(rehearsal(factor=60), tmp_path, ENGAGE, "state").read_text()
    assert 'after = "15000ms"' in written
    assert 'wait_max = "5000ms"' in written
    assert 'wait_initial = "167ms"' in written
    assert factor_for(PIPELINE, timedelta(seconds=30)) == 10, "an outage of three seconds at least"


@pytest.fixture
def fits(outcome: Outcome) -> Callable[..., dict[str, bool]]:
    def judged(files: Any = (), back: float = 5000.0, missed: int = 1, **given: Any) -> dict[str, bool]:
        history = [
            {"at": f"1970-01-01T00:{missed:02}:00+00:00", "state": "degraded"},
            {"at": "1970-01-01T01:25:00+00:00", "state": "catching up"},
        ]
        seen = attrs.evolve(outcome, history=history, files=files, receipts=({"attempts": 2},), outage_to=back)
        return {finding.key: finding.fits for finding in judge_limits(rehearsal(**given), seen)}

    return judged


def limits(slot: str, **changed: timedelta) -> dict[str, Any]:
    return PIPELINE | {slot: PIPELINE[slot] | changed}


def test_limits_are_judged_by_the_outage_and_by_engages_own_pace(fits: Callable[..., dict[str, bool]]) -> None:
    assert all(fits().values())
    assert not fits(pipeline=limits("transport", confirm_after=timedelta(minutes=5)))["transport.confirm_after"]
    assert not fits(pipeline=limits("transport", wait_max=timedelta(hours=1)))["transport.wait_max"]
    assert not fits(pipeline=limits("fallback", confirm_within=timedelta(hours=1)))["fallback.confirm_within"]
    assert not fits(length=timedelta(hours=1))["fallback.after"], "the time had passed, and nothing was written"
    assert fits(length=timedelta(hours=1), missed=59, back=4000.0)["fallback.after"], "the first call failed late"
    file = {"consumed_at": None, "confirmed_at": None}
    assert fits([file], length=timedelta(hours=1))["fallback.after"]
    assert not fits([file] * 101, length=timedelta(hours=1))["fallback.every"]
    without = {key: value for key, value in PIPELINE.items() if key not in ("fallback", "transfer")}
    assert fits(pipeline=without)["fallback"]


def test_what_the_sandbox_cannot_rehearse_is_wrong_usage(tmp_path: Path) -> None:
    check(PIPELINE, generated=True)
    with pytest.raises(UsageError, match="cannot be rehearsed"):
        check(PIPELINE | {"transport": {"use": "other"}}, generated=True)
    numbers = PIPELINE | {"resolve": [{"use": "engage", "keys": ["memberNumber"]}]}
    with pytest.raises(UsageError, match="--from"):
        check(numbers, generated=True)
    check(numbers, generated=False)
    given: dict[str, Any] = {
        "pipeline": PIPELINE, "name": "shop", "length": timedelta(seconds=1), "quick": True, "receipts": 1,
        "files": (), "dir": None, "report": None, "as_json": False, "echo": print,
    }  # fmt: skip
    with pytest.raises(UsageError, match="longer than zero"):
        run(**given | {"length": timedelta(0)})
    with pytest.raises(UsageError, match="new or empty"):
        run(**given | {"dir": Path(__file__).parent})


def test_durations_are_written_as_people_say_them() -> None:
    assert [duration_text(timedelta(seconds=seconds)) for seconds in (0.3, 40, 3900, 90000)] == [
        "0.3s",
        "40s",
        "1h 5m",
        "1d 1h",
    ]

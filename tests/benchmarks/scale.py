"""What a large journal costs: `python -m tests.benchmarks.scale --waiting 10000 1000000 --settled 0 10000000`.

For the first of `--waiting` beside the first of `--settled`, then each larger one: CPU time and steps of SQLite's
machine a claim, time of `tillpost status` (the whole process), peak memory of `tillpost run` against a destination
that is
closed, and the longest of the commits in which retention removes what is old. Prints JSON; ratios are to the first.
Journals are made in `--in` (a folder of the disk to be judged), and used again when they are there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.backlog import DAY, NOW, build
from tests.support.engine import store_of
from tests.support.lines import make_line
from tillpost.clock import SystemClock
from tillpost.flow.delivery.deliver import claim
from tillpost.flow.hook_calls import HookCalls
from tillpost.journal import Journal, RetentionCursor

CONFIG = """\
[pipelines.shop]
state     = "journal"
adapter   = { use = "receipts" }
resolve   = [ { use = "known" }, { use = "engage" } ]
map       = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "ENGAGE_API_KEY" } }
"""
CLAIM = 4
"""Receipts a thread claims at a time."""


class _Clock(SystemClock):
    """The days of the made journal."""

    def time(self) -> float:
        return NOW


def main() -> None:
    """Measure each size and print what came of it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--waiting", type=int, nargs="+", default=[10_000, 1_000_000])
    asked.add_argument("--settled", type=int, nargs="+", default=[0])
    asked.add_argument("--in", dest="folder", type=Path)
    asked.add_argument("--repeat", type=int, default=5)
    asked.add_argument("--run", type=float, default=8.0, help="seconds `tillpost run` is left at work")
    given = asked.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="scale-"))
    sizes = [(waiting, given.settled[0]) for waiting in given.waiting]
    sizes += [(given.waiting[-1], settled) for settled in given.settled[1:]]
    try:
        measured = [measure(folder, *size, given.repeat, given.run) for size in sizes]
    finally:
        if given.folder is None:
            shutil.rmtree(folder)
    first = measured[0]
    for each in measured:
        each["ratio"] = {name: round(each[name] / first[name], 3) for name in ("claim_us", "claim_steps", "run_mib")}
    print(json.dumps(measured, indent=2))


def measure(folder: Path, waiting: int, settled: int, repeat: int, seconds: float) -> dict[str, Any]:
    """One size: made if need be, asked, and left at work."""
    place = folder / f"{waiting}-{settled}"
    if not place.exists():
        build(place / "journal", waiting, settled, contacts=max(1000, waiting // 10), bodies=False)
        (place / "tillpost.toml").write_text(CONFIG)
    answer: dict[str, Any] = {"waiting": waiting, "settled": settled}
    answer["journal_mib"] = (place / "journal" / "journal.db").stat().st_size >> 20
    journal = Journal(place / "journal")
    try:
        answer |= claims(journal, repeat)
    finally:
        journal.close()
    told = [status(place) for _ in range(repeat)]
    answer["status_s"] = statistics.median(wall for wall, _ in told)
    answer["status_least_s"] = min(wall for wall, _ in told)
    answer["status_cpu_s"] = statistics.median(cpu for _, cpu in told)
    answer["run_mib"] = statistics.median(run(place, seconds) for _ in range(3))
    if settled:
        answer |= retention(place / "journal")
    return answer


def claims(journal: Journal, repeat: int) -> dict[str, Any]:
    """CPU time and steps of a claim, as a thread of the worker makes it."""
    line = make_line(journal, HookCalls({}), clock=_Clock(), workers=4)

    def one() -> None:
        entries = claim(line, CLAIM)
        assert len(entries) == CLAIM
        line.claims.release(entry.seq for entry in entries)

    times = []
    for _ in range(repeat):
        begin = time.process_time()
        for _ in range(500):
            one()
        times.append((time.process_time() - begin) / 500 * 1e6)
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    reader = store_of(journal)._file.reader
    reader.set_progress_handler(step, 1)
    one()
    reader.set_progress_handler(None)
    return {"claim_us": round(statistics.median(times), 1), "claim_steps": steps}


def started(place: Path, *words: str) -> subprocess.Popen[bytes]:
    """The launcher at work on a journal."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("tillpost"), "--config", place / "tillpost.toml", *words],
        env={**os.environ, "ENGAGE_API_KEY": "k"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def status(place: Path) -> tuple[float, float]:
    """Wall time and CPU time of `tillpost status`, in seconds."""
    begin = time.monotonic()
    process = started(place, "status", "--json")
    _, code, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == 0
    return round(wall, 3), round(used.ru_utime + used.ru_stime, 3)


def run(place: Path, seconds: float) -> float:
    """Peak memory (MiB) of `tillpost run` that is left at work for so long."""
    process = started(place, "run")
    time.sleep(seconds)  # the measure itself
    # Not ru_maxrss: that begins with the memory of the process that started it.
    told = Path(f"/proc/{process.pid}/status").read_text()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    return round(int(told.partition("VmHWM:")[2].split()[0]) / 1024, 1)


def retention(folder: Path, seconds: float = 20.0) -> dict[str, Any]:
    """The commits of retention for a while: how long they are, and how many receipts leave a second of work."""
    journal = Journal(folder)
    times: list[float] = []
    try:
        before, end = journal.retention.count_removed(), time.monotonic() + seconds
        place: RetentionCursor | None = RetentionCursor()
        while place is not None and time.monotonic() < end:
            begin = time.monotonic()
            place = journal.retention.step(place, NOW - 40 * DAY, NOW)
            times.append(time.monotonic() - begin)
        removed = journal.retention.count_removed() - before
    finally:
        journal.close()
    times.sort()
    return {
        "retention_steps": len(times),
        "retention_removed": removed,
        "retention_median_ms": round(statistics.median(times) * 1e3, 2),
        "retention_p99_ms": round(times[int(len(times) * 0.99)] * 1e3, 2),
        "retention_longest_ms": round(times[-1] * 1e3, 2),
    }


if __name__ == "__main__":
    main()

"""How fast files are transferred by SFTP, against OpenSSH's own `sftp -b`, to the same real sshd on loopback.

    python -m tests.benchmarks.transfer_ratio [--runs 5] [--folder DIR]

Prints JSON, one object a case: MB/s and CPU seconds of both, medians of alternating runs, each in a process of its
own; the ratio of the times with its spread, and our peak memory. Cases: one file of 100 MB, also against `sftp` without
fsync; 100 files of 1 MB.

Ours: the hooks of the plugin `sftp`, one call a file: a look whether it is there, a temporary name, fsync, a check of
the size, a rename. OpenSSH: `put -f` (fsync) under a temporary name and `rename`, all files by one connection. Its
start counts, as do our first connection and login; what Python takes to import the plugin does not. Needs
openssh-server and openssh-client; skips with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.fallback_files import written
from tests.support.sshd import Sshd, sshd
from tillpost.model import Delivered

CASES = ((1, 100_000_000, True), (1, 100_000_000, False), (100, 1_000_000, True))
"""How many files, of how many bytes, and whether `sftp` is told to fsync."""


def files(folder: Path, count: int, size: int) -> list[Path]:
    """Files with content no cipher or disk can make short work of."""
    return [
        written(folder, os.urandom(size), f"20260301123000_{number}_transactions.xml").path for number in range(count)
    ]


def ours(server: dict[str, Any], folder: Path) -> dict[str, float]:
    """What `tillpost run` does with the files, in this process."""
    from tillpost.model import FallbackFile
    from tillpost_sftp import _make
    from tillpost_sftp.settings import Settings

    settings = Settings(
        host="127.0.0.1", port=server["port"], user=server["user"], key=Path(server["key"]), path=server["path"],
        host_key=server["host_key"], timeout=timedelta(seconds=60),
    )  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    transfer: Any = _make(settings, None)  # type: ignore[arg-type]
    for path in sorted((folder / "transactionImport").iterdir()):
        file = FallbackFile(
            name=path.name, kind="receipts", sha256="", size=path.stat().st_size, keys=("r",), path=path
        )
        outcome = transfer.transfer(file)
        assert outcome == Delivered(), outcome
    # Not ru_maxrss: that is at least what the parent had when it started this process.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    memory = int(peak[1]) / 1024 if peak else 0.0
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "memory": memory}


def theirs(server: Sshd, folder: Path, fsync: bool) -> list[str]:
    """The command that does the same."""
    there = f"{server.home}/transactionImport"
    put = "put -f" if fsync else "put"
    lines = []
    for path in sorted((folder / "transactionImport").iterdir()):
        lines += [f"{put} {path} {there}/.{path.name}.part", f"rename {there}/.{path.name}.part {there}/{path.name}"]
    (folder / "batch").write_text("\n".join(lines))
    options = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "BatchMode=yes"]
    (folder / "known").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    login = ["-F", "none", "-i", str(server.key), "-P", str(server.port)]
    return ["sftp", *options, *login, "-b", str(folder / "batch"), f"{server.user}@127.0.0.1"]


def timed(command: list[str], server: Sshd, names: list[tuple[str, int]]) -> dict[str, float]:
    """Run it, see that every file is there whole, and remove them."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    home = server.home / "transactionImport"
    assert sorted((path.name, path.stat().st_size) for path in home.iterdir()) == names
    for path in home.iterdir():
        path.unlink()
    if "--one" in command:
        told: dict[str, float] = json.loads(done.stdout)
        return told
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "memory": 0.0}


def measure(count: int, size: int, fsync: bool, runs: int, folder: Path) -> dict[str, Any]:
    """Alternating runs of one case."""
    folder = folder / "fallback"
    names = sorted((path.name, size) for path in files(folder, count, size))
    with sshd(folder / "server") as server:
        (server.home / "transactionImport").mkdir()
        told = {
            "port": server.port, "user": server.user, "key": str(server.key), "path": str(server.home),
            "host_key": server.host_key,
        }  # fmt: skip
        own = [sys.executable, "-m", "tests.benchmarks.transfer_ratio", "--one", json.dumps(told), str(folder)]
        other = theirs(server, folder, fsync)
        pairs = [(timed(own, server, names), timed(other, server, names)) for _ in range(runs)]
    shutil.rmtree(folder)
    ratios = [them["wall"] / us["wall"] for us, them in pairs]
    megabytes = count * size / 1e6
    return {
        "files": count,
        "bytes_a_file": size,
        "fsync_by_sftp": fsync,
        "runs": runs,
        "ratio": round(statistics.median(ratios), 3),
        "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "ours_mb_per_second": round(megabytes / statistics.median(us["wall"] for us, _ in pairs), 1),
        "sftp_mb_per_second": round(megabytes / statistics.median(them["wall"] for _, them in pairs), 1),
        "ours_cpu": round(statistics.median(us["cpu"] for us, _ in pairs), 3),
        "sftp_cpu": round(statistics.median(them["cpu"] for _, them in pairs), 3),
        "peak_mb": round(max(us["memory"] for us, _ in pairs), 1),
    }


def main() -> None:
    """Every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where files are; default: a temporary folder")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(ours(json.loads(given.one[0]), Path(given.one[1]))))
        return
    missing = [name for name in ("sftp", "sshd") if not (shutil.which(name) or shutil.which(name, path="/usr/sbin"))]
    if missing:
        json.dump({"skipped": f"{', '.join(missing)} missing: install openssh-client and openssh-server"}, sys.stdout)
        return
    cases = []
    for number, (count, size, fsync) in enumerate(CASES):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            cases.append(measure(count, size, fsync, given.runs, Path(folder) / str(number)))
    json.dump({"python": platform.python_version(), "goal": 0.85, "cases": cases}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()

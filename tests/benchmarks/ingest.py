"""Receipts taken by HTTP beside a no-op of the same server: rates at 64 connections, and waiting times at half of that.

Uses the modules `ingest_server` and `ingest_load` beside this one, which can be run alone.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.benchmarks import disk, receipts
from tests.benchmarks.process import ROOT, BenchmarkFailed, Running

CONNECTIONS = 64
_KEY = "benchmark-of-ingest"
_HERE = Path(__file__).parent


@attrs.frozen
class Taken:
    """One round. rate, noop: requests/s of the two; p99: seconds at half of `rate`; sync: seconds of one fdatasync."""

    rate: float
    noop: float
    cpu: float
    noop_cpu: float
    p99: float
    sync: float


def exists() -> bool:
    """Whether there is something to measure in this checkout."""
    return (_HERE / "ingest_server.py").exists() and (_HERE / "ingest_load.py").exists()


def measure(folder: Path, seconds: float) -> Taken:
    """One round: the no-op and ours at full load, ours at half of it, and the disk alone."""
    with _server(folder / "noop", "--noop") as (url, server):
        noop = _load(url, server, seconds)
    with _server(folder / "ours") as (url, server):
        ours = _load(url, server, seconds)
        half = _load(url, server, seconds, rate=ours["requests_per_s"] / 2)
    sync = 1 / disk.synced(folder / "sync", list(receipts.lines(300)), 1)
    return Taken(
        rate=ours["requests_per_s"],
        noop=noop["requests_per_s"],
        cpu=ours["cpu_s_per_1000_server"],
        noop_cpu=noop["cpu_s_per_1000_server"],
        p99=half["p99_ms"] / 1000,
        sync=sync,
    )


@contextmanager
def _server(folder: Path, *options: str) -> Iterator[tuple[str, Running]]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.benchmarks.ingest_server", str(port), str(folder), *options]
    running = Running(command, folder / "log")
    try:
        until = time.monotonic() + 20
        while "listening" not in running.tail():
            if not running.alive() or time.monotonic() > until:
                raise BenchmarkFailed(f"{running.named} does not listen:\n{running.tail()}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1/shop/receipts", running
    finally:
        running.stop()


def _load(url: str, server: Running, seconds: float, rate: float = 0.0) -> dict[str, Any]:
    words = ["--connections", str(CONNECTIONS), "--seconds", str(seconds), "--rate", str(rate), "--key", _KEY]
    command = [sys.executable, "-m", "tests.benchmarks.ingest_load", url, *words, "--pid", str(server.pid)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode:
        raise BenchmarkFailed(f"{' '.join(command)}\n{done.stderr[-1000:]}")
    told: Any = json.loads(done.stdout)
    return told if isinstance(told, dict) else told[0]

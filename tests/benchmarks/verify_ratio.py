"""What verification costs the delay of live receipts: the same day with and without it, side by side.

    python -m tests.benchmarks.verify_ratio [--seconds 10] [--runs 5] [--live 10] [--waiting 400]

Prints JSON: the median delay of live receipts from acceptance to delivery, with `verify = "off"` and `"all"`, in runs
that alternate; the ratio with its spread; how many receipts were verified meanwhile, with how many requests, and the
most requests the destination saw in a second. It runs against the sandbox in a process of its own, at 50 a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.support.program import free_ports
from tests.support.proving import RemoteSandbox, proving
from tests.support.receipts import document, receipt_of
from tillpost.flow.intake.accept import accept
from tillpost.flow.worker import Worker
from tillpost.model import Document

RATE = 50


@contextmanager
def sandbox(folder: Path, port: int) -> Iterator[RemoteSandbox]:
    """A sandbox in a process of its own; it keeps what it holds in the folder."""
    command = [sys.executable, "-m", "tillpost", "sandbox", "--http", str(port), "--sftp", "0", "--api-key", "proving"]
    command += ["--dir", str(folder), "--import-every", "0.5", "--rate-limit", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            yield RemoteSandbox(url=ready["url"], control_url=ready["control"])
        finally:
            process.terminate()


def trial(folder: Path, verify: str, seconds: float, live: float, waiting: int) -> dict[str, Any]:
    """Delays of live receipts while so many others are due to be verified."""
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    with sandbox(folder / "sandbox", port) as engage, proving(folder, engage, rate=1000) as before:
        before.sell(*(receipt_of(number, externalId=f"c{number}") for number in range(waiting)))
        engage.do_import()
    with (
        sandbox(folder / "sandbox", port) as engage,
        proving(folder, engage, own=f'verify = "{verify}"', rate=RATE) as shop,
    ):
        shop.clock.ahead = 3600.0  # what was delivered before is due
        worker = Worker(attrs.evolve(shop.line, workers=8))
        worker.start()
        time.sleep(2.0)
        for number in range(waiting, waiting + round(seconds * live)):
            sale = receipt_of(number, externalId=f"c{number % waiting}")
            accept(shop.line, Document.from_bytes(str(number), document([sale])))
            time.sleep(1.0 / live)
        time.sleep(2.0)
        worker.stop()
        worker.join(30)
        rows = [row for row in shop.line.journal.receipts.find({}) if row.seq > waiting and row.delivered_at]
        stand = shop.line.journal.verification.stand()
        return {
            "delay_ms": statistics.median((row.delivered_at or 0.0) - row.accepted_at for row in rows) * 1000,
            "live": len(rows),
            "verified": sum(stand.verified.values()),
            "requests": stand.requests,
            "worst_second": engage.control("GET", "stats")["peak_rate"],
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--live", type=float, default=10.0)
    parser.add_argument("--waiting", type=int, default=400)
    given = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {"off": [], "all": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.runs):
            for verify in ("off", "all") if number % 2 else ("all", "off"):
                place = Path(folder) / f"{verify}{number}"
                runs[verify].append(trial(place, verify, given.seconds, given.live, given.waiting))
    ratios = [ours["delay_ms"] / alone["delay_ms"] for ours, alone in zip(runs["all"], runs["off"], strict=True)]
    print(
        json.dumps(
            {
                "what": f"delay of {given.live:g} live receipts a second, verifying ÷ not",
                "ratio": round(statistics.median(ratios), 3),
                "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
                **{name: round(statistics.median(run["delay_ms"] for run in made), 1) for name, made in runs.items()},
                "verified": statistics.median(run["verified"] for run in runs["all"]),
                "requests": statistics.median(run["requests"] for run in runs["all"]),
                "worst_second": max(run["worst_second"] for run in runs["all"]),
            }
        )
    )


if __name__ == "__main__":
    main()

"""The seeded simulator: random outages, crashes, duplicates and reorderings on the real flow and journal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

SEEDS = 5_000
"""Seeds a mode. `TILLPOST_SEEDS=300` lowers it for a quick look; `.ci/run` runs all of them in a step of their own."""
_WORKERS = 2


def seeds() -> int:
    """How many seeds this run tries in each mode."""
    return min(SEEDS, int(os.environ.get("TILLPOST_SEEDS", SEEDS)))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["safety", "liveness"])
def test_no_schedule_breaks_a_law(mode: str, measured: Callable[[str], None]) -> None:
    """safety: any faults, nothing lost and no second id. liveness: the faults end and everything settles."""
    bounds = [seeds() * number // _WORKERS for number in range(_WORKERS + 1)]
    ranges = [(first, last - first) for first, last in pairwise(bounds)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.scenarios.simulator", "--mode", mode, "--seed", str(first),
             "--count", str(count), "--shrink"],
            cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for first, count in ranges
    ]  # fmt: skip
    try:
        told = [worker.communicate()[0] for worker in workers]
    finally:
        for worker in workers:
            with worker:
                worker.kill()
    assert [worker.returncode for worker in workers] == [0] * _WORKERS, "\n".join(told)
    assert all(f"{count} seeds, 0 failures" in text for (_, count), text in zip(ranges, told, strict=True))
    measured(f"{mode}: {seeds()} seeds, 0 violations; {'; '.join(text.strip() for text in told)}")

"""The seeded simulator: random outages, crashes, duplicates and reorderings on the real flow and journal.

Each class is run by one process, so the halves of a mode go side by side.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator

import pytest

from tests.scenarios.simulator.run import run, shrink
from tests.support.memory import memory_folder

SEEDS = int(os.environ.get("TILLPOST_SEEDS", 1_500))
"""Seeds a mode of a whole run. Before a release: `TILLPOST_SEEDS=5000`."""
FEW = 120
"""Seeds a mode of a plain `pytest`."""
HALF = SEEDS // 2
whole = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What the flow logs of each clock jump is no news here."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def try_seeds(mode: str, seeds: range, measured: Callable[[str], None]) -> None:
    """Run every seed; the first that breaks an invariant is shown with the steps its failure needs."""
    began = time.monotonic()
    with memory_folder() as folder:
        for seed in seeds:
            if failure := run(seed, mode, folder):
                steps = "\n".join(f"  {number:2} {step}" for number, step in enumerate(shrink(failure, folder)))
                pytest.fail(f"{failure}\n{steps}")
    measured(f"{mode}: {len(seeds)} seeds, 0 violations, {time.monotonic() - began:.0f} s")


@pytest.mark.parametrize("mode", ["safety", "liveness"])
def test_no_schedule_breaks_a_law(mode: str, measured: Callable[[str], None]) -> None:
    """safety: any faults, nothing lost and no second id. liveness: the faults end and everything settles."""
    try_seeds(mode, range(FEW), measured)


@pytest.mark.parametrize("seed", [3995, 4597, 4823, 20923])
def test_a_seed_that_failed_once_breaks_no_law(seed: int, measured: Callable[[str], None]) -> None:
    try_seeds("liveness", range(seed, seed + 1), measured)


class TestSafetyFirstHalf:
    pytestmark = whole

    def test_no_schedule_breaks_a_law(self, measured: Callable[[str], None]) -> None:
        try_seeds("safety", range(HALF), measured)


class TestSafetySecondHalf:
    pytestmark = whole

    def test_no_schedule_breaks_a_law(self, measured: Callable[[str], None]) -> None:
        try_seeds("safety", range(HALF, 2 * HALF), measured)


class TestLiveness:
    pytestmark = whole

    def test_no_schedule_breaks_a_law(self, measured: Callable[[str], None]) -> None:
        try_seeds("liveness", range(2 * HALF), measured)

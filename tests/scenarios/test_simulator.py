"""The seeded simulator: random outages, crashes, duplicates and reorderings on the real flow and journal."""

from __future__ import annotations

import pytest

from tests.scenarios.simulator.run import run, state_folder

SEEDS = 300


@pytest.mark.parametrize("mode", ["safety", "liveness"])
def test_no_schedule_breaks_a_law(mode: str) -> None:
    """safety: any faults, nothing lost and no second id. liveness: the faults end and everything settles."""
    with state_folder() as folder:
        failures = [failure for seed in range(SEEDS) if (failure := run(seed, mode, folder)) is not None]
    assert not failures, f"again with: python -m tests.scenarios.simulator --mode {mode} --shrink\n{failures[0]}"
    print(f"{mode}: {SEEDS} seeds, 0 violations")

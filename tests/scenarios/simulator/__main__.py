"""`python -m tests.scenarios.simulator`: run one seed, or many."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.scenarios.simulator.run import run, shrink
from tests.support.memory import memory_folder


def main() -> int:
    """Exit code 1 when an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("--mode", choices=("safety", "liveness"), default="liveness")
    parser.add_argument("--shrink", action="store_true", help="drop the steps the failure does not need")
    parser.add_argument("--most", type=int, default=1, help="stop after so many failures")
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # the flow logs each clock change, which the schedule makes on purpose
    began, failures = time.monotonic(), 0
    with memory_folder() as folder:
        for seed in range(given.seed, given.seed + given.count):
            failure = run(seed, given.mode, folder)
            if failure is None:
                continue
            failures += 1
            print(failure)
            if given.shrink:
                steps = shrink(failure, folder)
                for number, step in enumerate(steps):
                    print(f"  {number:2} {step}")
                print(f"  {run(seed, given.mode, folder, steps)}")
            if failures >= given.most:
                break
    print(f"{given.count} seeds, {failures} failures, {time.monotonic() - began:.1f} s")
    return 1 if failures else 0


sys.exit(main())

"""`python -m tests.benchmarks.rate`: how much of the rate of an API key is used, and how often it is exceeded.

Real `tillpost run` processes against the sandbox, which answers 429 to each request that is one too many in its
sliding second. One JSON object; exit code 1 when the rate was exceeded.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.shop import Shop
from tests.support.two_runs import TwoRuns

NAMES = ("shop", "web")
WORKERS = 16
"""Enough that there is always one who waits for the rate, also while others wait for the disk."""


def measure(processes: int, rate: int, seconds: float) -> dict[str, Any]:
    """Of so many processes: the part used, the most requests in any sliding second, and how many were too many."""
    own = f"workers = {WORKERS}"
    with tempfile.TemporaryDirectory() as folder, Shop(Path(folder), rate=rate, own=own) as shop:
        runs = TwoRuns(shop)
        runs.limit(rate)
        try:
            runs.put(int(rate * (seconds + 10)))
            runs.start(*NAMES[:processes])
            runs.until(lambda: runs.requests() > 2 * rate)
            reached, lasted = runs.send(seconds)
            runs.stop()
        finally:
            runs.end()
        stats = shop.sandbox("stats")
        return {
            "processes": processes,
            "rate": rate,
            "seconds": round(lasted, 2),
            "used": round(reached / rate, 4),
            "peak": stats["peak_rate"],
            "above": runs.answers()["429"],
        }


def main() -> int:
    """Measure one process and two."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rate", description=__doc__)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    found = [measure(processes, given.rate, given.seconds) for processes in (1, 2)]
    print(json.dumps({"rate": found}))
    return 1 if any(each["above"] for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())

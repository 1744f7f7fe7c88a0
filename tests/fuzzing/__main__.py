"""`python -m tests.fuzzing`: try changed documents on the adapters for so many seconds, or so many documents."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.fuzzing.campaign import Campaign, run, save, shorter
from tests.fuzzing.seeds import seeds
from tests.support.matrix import adapters


def main() -> int:
    """Exit code 1 when a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--adapter", action="append", choices=adapters(), help="only this one; may be given again")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--inputs", type=int, default=0, help="stop after so many documents")
    parser.add_argument("--seed", type=int, default=None, help="of chance: the same gives the same documents")
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris, one adapter after the other")
    parser.add_argument("--out", type=Path, default=Path("fuzzing-findings"), help="where findings are written")
    given = parser.parse_args()
    if given.guided:
        from tests.fuzzing.guided import run_all

        return run_all(given.adapter or adapters(), given.seconds, given.out)
    number = given.seed if given.seed is not None else time.time_ns() % 1_000_000_000
    begins = seeds(given.adapter)
    end, told, known = time.monotonic() + given.seconds, [time.monotonic()], [0]

    def goes_on(campaign: Campaign) -> bool:
        now = time.monotonic()
        if now > told[0] + 60:
            told[0] = now
            print(_line(campaign), flush=True)
            for name, law, what in list(campaign.findings)[known[0] :]:
                print(f"  {name}: {law}: {what}", flush=True)
            known[0] = len(campaign.findings)
        return now < end and (not given.inputs or campaign.tried.total() < given.inputs)

    print(f"{len(begins)} documents to change, chance {number}", flush=True)
    campaign = run(begins, chance=random.Random(number), goes_on=goes_on)
    print(_line(campaign))
    for finding in campaign.findings.values():
        saved = save(shorter(finding), given.out)
        print(f"{finding.seed.target.name}: {finding.breach.law}: {finding.breach.what}: {saved}")
    return 1 if campaign.findings else 0


def _line(campaign: Campaign) -> str:
    rate = campaign.tried.total() / max(campaign.seconds, 1e-9)
    tried, found = campaign.tried.total(), len(campaign.findings)
    return f"{tried} documents in {campaign.seconds:.0f} s ({rate:.0f} a second), {found} findings"


if __name__ == "__main__":
    sys.exit(main())

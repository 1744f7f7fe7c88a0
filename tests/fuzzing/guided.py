"""Fuzzing by coverage, with atheris: documents that reach new lines of an adapter are changed further.

libFuzzer ends its process by itself, so each adapter has a process of its own.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def run_all(names: list[str], seconds: float, out: Path, documents: int = -1) -> int:
    """Each adapter in turn, so many seconds in sum. Returns 1 when a law was broken.

    documents: at most so many an adapter, and the same at every run; -1: as many as the time allows, others each time.
    """
    total = 0
    for name in names:
        command = [sys.executable, "-m", "tests.fuzzing.guided", name, str(seconds / len(names)), str(out)]
        ended = subprocess.run(
            [*command, str(documents)], capture_output=True, text=True, errors="replace", check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        found = re.search(r"stat::number_of_executed_units:\s*(\d+)", ended.stderr)
        if found is None:
            print(ended.stdout[-2000:], ended.stderr[-2000:], sep="\n")
            return 1
        total += int(found[1])
        print(f"{name}: {found[1]} documents", *re.findall(r"^FOUND .*$", ended.stdout, re.M), sep="\n  ", flush=True)
    print(f"{total} documents by coverage")
    return 1 if out.exists() and any(out.iterdir()) else 0


def main(name: str, seconds: float, out: Path, documents: int) -> None:
    """One adapter. Does not return."""
    import atheris

    with atheris.instrument_imports(include=["tillpost", f"tillpost_{name.replace('-', '_')}"]):
        import tillpost.model.receipt_json  # noqa: F401 - instrumented with the adapter, which loads what it needs
        from tests.fuzzing.campaign import Changer, Finding, save
        from tests.fuzzing.laws import Breach, judge
        from tests.fuzzing.seeds import Seed, form_of, seeds

        begins = seeds([name])
    aim = max({seed.target for seed in begins}, key=lambda one: sum(seed.target is one for seed in begins))
    begins = [seed for seed in begins if seed.target is aim]
    changer = Changer(begins, random.Random(0))
    known: set[Breach] = set()

    def try_one(data: bytes) -> None:
        for breach in judge(aim, data, deep=len(data) % 4 == 0):
            if breach not in known:
                known.add(breach)
                seed = Seed(aim, f"{name}, by coverage", data, form_of(data))
                print(f"FOUND {breach.law}: {breach.what}: {save(Finding(seed, breach, data), out)}", flush=True)

    def change(data: bytes, largest: int, number: int) -> bytes:
        changer.chance.seed(number)
        if changer.chance.random() < 0.4:
            return bytes(atheris.Mutate(data, largest))
        return changer.grown(Seed(aim, "grown", data, form_of(data)))[:largest]

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(begins):
            (Path(folder) / f"{number:04d}").write_bytes(seed.content)
        ends = [f"-max_total_time={int(seconds)}", f"-runs={documents}", f"-seed={int(documents > 0)}"]
        flags = [*ends, "-max_len=40000", "-rss_limit_mb=2000", "-print_final_stats=1"]
        atheris.Setup(["fuzz", *flags, folder], try_one, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))

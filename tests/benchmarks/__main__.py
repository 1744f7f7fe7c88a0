"""`python -m tests.benchmarks`: everything side by side in one run, and a table of ratios with medians and spread."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import contenders, environment, page
from tests.benchmarks.process import ROOT, BenchmarkFailed
from tests.benchmarks.sections import SECTIONS, Plan


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, run, print the tables; the exit code: 0 measured, 1 something could not be, 2 usage."""
    given = _parser().parse_args(arguments)
    if given.page:
        results = json.loads(given.page.read_text("utf-8"))
        page.write(results, ROOT / "docs")
        return 0
    try:
        environment.check_urllib3()
        results, failed = _run(given)
    except BenchmarkFailed as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print(page.text(results))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.docs:
        page.write(results, ROOT / "docs")
    return 1 if failed else 0


def _run(given: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    wanted = [each for each in SECTIONS if not given.only or each.name in given.only]
    peers = environment.install_peers() if _needs_peers(given) else ""
    if peers:
        _say(peers)
    chosen = [each for each in contenders.ALL if not given.who or each.name in given.who]
    missing = {each.name: why for each in chosen if (why := each.missing())}
    for name, why in missing.items():
        _say(f"without {name}: {why}")
    folder = given.dir / "work"
    folder.mkdir(parents=True, exist_ok=True)
    if environment.in_memory(folder) and not given.quick:
        raise BenchmarkFailed(f"{folder} is on a file system in memory; name a folder on a disk with --dir")
    receipts = given.receipts or (500 if given.quick else 8000)
    plan = Plan(tuple(each for each in chosen if each.name not in missing), receipts, given.runs, folder, given.quick)
    results: dict[str, Any] = {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": environment.machine(folder),
        "receipts": receipts,
        "load": os.getloadavg()[0] / (os.cpu_count() or 1),
        "runs": given.runs,
        "quick": given.quick,
        "missing": missing,
        "failed": {},
    }
    _say(f"about {sum(each.seconds(plan) for each in wanted) / 60:.0f} minutes, in {folder}")
    began = time.monotonic()
    for each in wanted:
        _say(f"{each.name}: {each.about}, about {each.seconds(plan):.0f} s")
        try:
            results[each.name] = each.run(plan, _say)
        except BenchmarkFailed as error:  # the others are worth having
            results["failed"][each.name] = str(error)
            _say(f"{each.name} failed: {error}")
    results["minutes"] = (time.monotonic() - began) / 60
    _say(f"it took {results['minutes']:.1f} minutes")
    return results, bool(results["failed"])


def _needs_peers(given: argparse.Namespace) -> bool:
    ours = (contenders.TILLPOST.name, contenders.LOOP.name, contenders.SYSLOG_NG.name)
    return not given.who or any(name not in ours for name in given.who)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    sections = [each.name for each in SECTIONS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        epilog="Sections: " + "; ".join(f"{each.name}: {each.about}" for each in SECTIONS) + ".",
    )
    parser.add_argument("--only", nargs="+", choices=sections, metavar="NAME", help="these sections")
    parser.add_argument("--who", nargs="+", choices=[each.name for each in contenders.ALL], metavar="NAME",
                        help="these contenders: " + ", ".join(each.name for each in contenders.ALL))  # fmt: skip
    parser.add_argument("--runs", type=int, default=5, help="rounds, default 5")
    parser.add_argument("--receipts", type=int, help="receipts of a race, default 8,000; with --quick 500")
    parser.add_argument("--quick", action="store_true", help="the smallest size: shows that it works, not how fast")
    parser.add_argument("--dir", type=Path, default=environment.BUILD, help="where it works; on a disk, not in memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md and its plots")
    parser.add_argument("--page", type=Path, metavar="FILE", help="measure nothing; write the page from such figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())

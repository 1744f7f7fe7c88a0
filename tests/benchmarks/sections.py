"""What one run consists of; each section takes a plan and fills its part of the results, which are plain JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from tests.benchmarks import curves, ingest, races, scripts, trials
from tests.benchmarks.contenders import HUEY, LOOP, TILLPOST, Contender, Task
from tests.benchmarks.curves import Timeline
from tests.benchmarks.process import ROOT
from tests.benchmarks.running_sink import RunningSink

Say = Callable[[str], None]
Results = dict[str, Any]


@attrs.frozen
class Plan:
    """One run. receipts: of a race, before each contender's share is taken; folder: where everything is put."""

    contenders: tuple[Contender, ...]
    receipts: int
    runs: int
    folder: Path
    quick: bool = False


@attrs.frozen
class Section:
    """One part of the run. seconds: about how long it takes with a plan."""

    name: str
    about: str
    seconds: Callable[[Plan], float]
    run: Callable[[Plan, Say], Any]


RACES = {"no delay": (0.0, 8, 1.0), "50 ms": (0.05, 32, 0.25)}
"""Name → seconds until the sink answers, connections, and the share of the receipts that is raced with."""


def _races(plan: Plan, say: Say) -> Results:
    """Rounds, in each of which everybody carries its receipts once, every other round in the opposite order."""
    found: Results = {}
    for name, (delay, connections, share) in RACES.items():
        folder = _fresh(plan, "races")
        given = races.inputs(folder, int(plan.receipts * share), plan.contenders)
        rounds: list[Results] = []
        with RunningSink(delay) as sink:
            for number in range(plan.runs):
                made: Results = {}
                for each in _in_turn(plan.contenders, number):
                    file, ids = given[each.name]
                    told = races.race(each, sink, folder, file, ids, connections)
                    made[each.name] = attrs.asdict(told)
                    say(f"{name}, round {number + 1}: {each.name} {told.rate:,.0f}/s, {told.cpu:.3f} CPU s per 1,000")
                rounds.append(made)
        found[name] = {"delay": delay, "connections": connections, "rounds": rounds}
    return found


def _disk(plan: Plan, say: Say) -> list[Results]:
    """The bare disk and SQLite's group commit, and `tillpost accept` of the same rows, in turn."""
    folder = _fresh(plan, "disk")
    count = min(plan.receipts, 5000)
    file, _ = races.inputs(folder, count, [attrs.evolve(TILLPOST, share=1)])[TILLPOST.name]
    found = []
    for number in range(plan.runs):
        command = [sys.executable, "-m", "tests.benchmarks.disk", str(file), str(folder)]
        told = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        task = Task(folder / "work", (file,), ("http://127.0.0.1:9",), 1)
        with races.Carrier(TILLPOST, task) as carrier:
            accepted = carrier.accept()
        told["tillpost accept"] = count / accepted.seconds
        say(f"disk, round {number + 1}: " + ", ".join(f"{name} {value:,.0f}/s" for name, value in told.items()))
        found.append(told)
    return found


def _ingest(plan: Plan, say: Say) -> list[Results]:
    """Receipts by HTTP, beside a no-op of the same server."""
    if not ingest.exists():
        say("ingest: not in this checkout")
        return []
    found = []
    for number in range(plan.runs):
        told = ingest.measure(_fresh(plan, "ingest"), 1.0 if plan.quick else 3.0)
        say(f"ingest, round {number + 1}: {told.rate:,.0f}/s, no-op {told.noop:,.0f}/s, p99 {told.p99 * 1000:.1f} ms")
        found.append(attrs.asdict(told))
    return found


def _at_once(plan: Plan, name: str, run: Callable[[Contender, Path], Any]) -> Results:
    """Everybody but the bare loop at the same time, each in a folder of its own."""
    able = [each for each in plan.contenders if each is not LOOP]
    folder = _fresh(plan, name)

    def one(contender: Contender) -> Any:
        own = folder / contender.name.replace(" ", "-")
        own.mkdir()
        return run(contender, own)

    with ThreadPoolExecutor(max(1, len(able))) as pool:
        return {each.name: told for each, told in zip(able, pool.map(one, able), strict=True)}


def _kill(plan: Plan, say: Say) -> Results:
    count = 200 if plan.quick else 1000
    return _trials(plan, say, "kill", plan.runs, lambda each, own, number: trials.killed(each, own, count))


def _outage(plan: Plan, say: Say) -> Results:
    count, seconds = (200, 2.0) if plan.quick else (1000, 10.0)

    def trial(each: Contender, own: Path, number: int) -> trials.Trial:
        return trials.outage(each, own, count, "refuse" if number % 2 else "500", seconds)

    # One of each kind: it counts receipts, and time does not change them.
    return _trials(plan, say, "outage", min(plan.runs, 2), trial)


def _trials(plan: Plan, say: Say, name: str, runs: int, run: Callable[[Contender, Path, int], trials.Trial]) -> Results:
    found: dict[str, list[Results]] = {}
    for number in range(runs):
        made = _at_once(plan, name, lambda each, own, number=number: run(each, own, number))  # type: ignore[misc]
        for who, trial in made.items():
            found.setdefault(who, []).append(attrs.asdict(trial))
            say(f"{name}, round {number + 1}: {who} lost {trial.lost}, repeated {trial.repeated}")
    return found


def _silent(plan: Plan, say: Say) -> Results:
    count = 200 if plan.quick else 500
    made = _at_once(plan, "silent", lambda each, own: trials.silent(each, own, count))
    for who, told in made.items():
        done = "never done" if told.seconds is None else f"done after {told.seconds:.1f} s"
        say(f"silent: {who}: the healthy target is {done}; the silent one lost {told.lost} in the end")
    return {who: attrs.asdict(told) for who, told in made.items()}


def _synced(plan: Plan, say: Say) -> Results:
    """Syncs for 1,000 receipts: whether what is said to be durable is."""
    if shutil.which("strace") is None:
        say("synced: omitted, strace is missing")
        return {}
    count = 100 if plan.quick else 1000
    able = [each for each in plan.contenders if each.durable]
    made = {}
    for each in able:
        folder = _fresh(plan, "synced")
        made[each.name] = trials.synced(each, folder, count) / count * 1000
        say(f"synced: {each.name} {made[each.name]:,.0f} times for 1,000 receipts")
    return made


def _through_outage(plan: Plan, say: Say) -> Results:
    timeline = Timeline(3, 2, 4) if plan.quick else Timeline()
    say(f"through the outage: {timeline.seconds} s")
    made = _at_once(plan, "curve", lambda each, own: curves.through_outage(each, own, timeline))
    return {"timeline": attrs.asdict(timeline), "arrivals": made}


def _backlog(plan: Plan, say: Say) -> Results:
    sizes = (200, 400) if plan.quick else (1000, 10_000, 100_000)
    measured, skipped = (100, 20) if plan.quick else (500, 100)
    found: dict[str, dict[str, list[float]]] = {}
    for size in sizes:
        # huey's queue is filled row by row: a hundred thousand would take longer than all the rest.
        for each in (each for each in plan.contenders if each is TILLPOST or (each is HUEY and size <= 10_000)):
            folder = _fresh(plan, "backlog")
            cost = curves.backlog_cost(each, folder, size, min(plan.runs, 3), measured, skipped)
            found.setdefault(each.name, {})[str(size)] = cost
            say(f"backlog of {size:,}: {each.name} {min(cost):.3f} to {max(cost):.3f} CPU s per 1,000")
    return found


def _scripts(plan: Plan, say: Say) -> Results:
    found: Results = {}
    for script in scripts.SCRIPTS:
        if not script.exists():
            say(f"{script.name}: not in this checkout")
            continue
        say(f"{script.name}: about {script.seconds:.0f} s")
        found[script.name] = scripts.run(script, plan.quick)
        if found[script.name]["failed"]:
            say(f"{script.name} failed: {found[script.name]['failed']}")
    return found


def _in_turn(contenders: Sequence[Contender], number: int) -> Sequence[Contender]:
    return contenders if number % 2 == 0 else tuple(reversed(contenders))


def _fresh(plan: Plan, name: str) -> Path:
    folder = plan.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


SECTIONS = (
    Section("disk", "accepting against the bare disk and SQLite", lambda plan: 4.0 * plan.runs, _disk),
    Section("races", "rate, CPU and memory of everybody", lambda plan: (8 + plan.receipts / 200) * plan.runs, _races),
    Section("ingest", "receipts by HTTP", lambda plan: (14.0 if ingest.exists() else 0.0) * plan.runs, _ingest),
    Section("kill", "lost and repeated after kill -9", lambda plan: 16.0 * plan.runs, _kill),
    Section("outage", "lost and repeated after an outage", lambda plan: 28.0 * min(plan.runs, 2), _outage),
    Section("silent", "beside a target that never answers", lambda plan: 45.0, _silent),
    Section("synced", "how often the disk is told to write", lambda plan: 15.0, _synced),
    Section("through-outage", "arrivals over time", lambda plan: 20.0 if plan.quick else 80.0, _through_outage),
    Section("backlog", "cost against backlog size", lambda plan: 10.0 if plan.quick else 70.0, _backlog),
    Section(
        "scripts",
        "the measurements of single parts",
        lambda plan: sum(10 if plan.quick else each.seconds for each in scripts.SCRIPTS if each.exists()),
        _scripts,
    ),
)

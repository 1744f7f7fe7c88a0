"""Trials of what a contender keeps: killed in mid-run, through an outage, and beside a sink that never answers.

They are no races: each has a sink of its own, and several contenders may stand their trial at once.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import attrs

from tests.benchmarks import receipts
from tests.benchmarks.contenders import Commands, Contender, Task
from tests.benchmarks.figures import tally
from tests.benchmarks.process import Running
from tests.benchmarks.races import PATIENCE, Carrier
from tests.benchmarks.running_sink import RunningSink

DELAY = 0.005
"""Seconds of answer time: so that at any moment something is on its way."""
CONNECTIONS = 8
SILENCE = 10.0
"""Seconds a sink says nothing, at least; the other target gets twice as long."""


@attrs.frozen
class Trial:
    """What came of it, in receipts; in_flight: how many can have been on their way when it happened."""

    receipts: int
    lost: int
    repeated: int
    in_flight: int = CONNECTIONS


@attrs.frozen
class Silence:
    """seconds: until the healthy target had everything, None when it never had; left: what it never got.

    lost: what the silent one did not have in the end, after it answered again.
    """

    receipts: int
    seconds: float | None
    left: int
    lost: int
    repeated: int


def killed(contender: Contender, folder: Path, count: int) -> Trial:
    """kill -9 when a third has arrived; then it is started again and left to finish."""
    ids = receipts.write(folder / "kill.jsonl", count)
    with RunningSink(DELAY) as sink, _one(contender, folder, "kill.jsonl", sink) as carrier:
        carrier.accept()
        sink.wait(count // 3, PATIENCE, carrier.start().alive)
        carrier.end(Running.kill)
        sink.wait(count, PATIENCE, carrier.start().alive)
        carrier.end()
        told = tally(ids, sink.ids())
    return Trial(count, told.lost, told.repeated)


def outage(contender: Contender, folder: Path, count: int, fault: str, seconds: float = 10.0) -> Trial:
    """The sink fails for ten seconds when a quarter has arrived: it answers 500, or refuses connections."""
    ids = receipts.write(folder / "outage.jsonl", count)
    with RunningSink(DELAY) as sink, _one(contender, folder, "outage.jsonl", sink) as carrier:
        carrier.accept()
        running = carrier.start()
        sink.wait(count // 4, PATIENCE, running.alive)
        sink.set(fault=fault)
        time.sleep(seconds)
        sink.set(fault="")
        sink.wait(count, PATIENCE, running.alive)
        carrier.end()
        told = tally(ids, sink.ids())
    return Trial(count, told.lost, told.repeated)


def silent(contender: Contender, folder: Path, count: int) -> Silence:
    """Two targets, one of which takes requests and never answers; when the other has everything, it answers again."""
    files = folder / "silent.jsonl", folder / "healthy.jsonl"
    mute_ids, healthy_ids = receipts.write(files[0], count), receipts.write(files[1], count, first=10**6)
    with RunningSink(DELAY) as mute, RunningSink(DELAY) as healthy:
        mute.set(fault="silent")
        task = Task(folder / "work", files, (mute.url, healthy.url), CONNECTIONS)
        with Carrier(contender, task) as carrier:
            carrier.accept()
            running = carrier.start()
            until = running.began + 2 * SILENCE
            healthy.wait(count, 2 * SILENCE, lambda: running.alive() and time.monotonic() < until)
            seconds = healthy.arrivals()[-1] - running.began if healthy.counts()["receipts"] == count else None
            time.sleep(max(0.0, running.began + SILENCE - time.monotonic()))
            mute.set(fault="")
            mute.wait(count, PATIENCE, running.alive)
            healthy.wait(count, PATIENCE, running.alive)
            carrier.end()
            at_mute, at_healthy = tally(mute_ids, mute.ids()), tally(healthy_ids, healthy.ids())
    return Silence(count, seconds, at_healthy.lost, at_mute.lost, at_mute.repeated + at_healthy.repeated)


def synced(contender: Contender, folder: Path, count: int) -> int:
    """How often it tells the disk to write, from accepting so many receipts to their arrival; told by strace."""
    receipts.write(folder / "synced.jsonl", count)
    trace = folder / "trace"
    calls = "trace=fsync,fdatasync,msync,sync_file_range,sync,syncfs"
    tracing = ["strace", "-f", "-qq", "--seccomp-bpf", "-A", "-o", str(trace), "-e", calls, "-e", "signal=none"]
    traced = attrs.evolve(contender, prepare=lambda task: _before(tracing, contender.prepare(task)))
    with RunningSink() as sink, _one(traced, folder, "synced.jsonl", sink) as carrier:
        carrier.accept()
        sink.wait(count, PATIENCE, carrier.start().alive)
        carrier.end()
    return len(re.findall(r"sync[a-z_]*\(", trace.read_text("utf-8", errors="replace")))


def _before(words: list[str], commands: Commands) -> Commands:
    accept = [[*words, *each] for each in commands.accept]
    return attrs.evolve(commands, accept=accept, deliver=[*words, *commands.deliver])


def _one(contender: Contender, folder: Path, name: str, sink: RunningSink) -> Carrier:
    return Carrier(contender, Task(folder / "work", (folder / name,), (sink.url,), CONNECTIONS))

"""What the two plots show: arrivals in each second through an outage, and what a delivery costs when many wait."""

from __future__ import annotations

import time
from pathlib import Path

import attrs

from tests.benchmarks import receipts
from tests.benchmarks.contenders import Contender, Task
from tests.benchmarks.figures import per_second
from tests.benchmarks.process import BenchmarkFailed
from tests.benchmarks.races import PATIENCE, Carrier
from tests.benchmarks.running_sink import RunningSink

DELAY = 0.05
CONNECTIONS = 8


@attrs.frozen
class Timeline:
    """Seconds of each part of the curve: before the outage, during it, and after it."""

    on: int = 20
    off: int = 10
    after: int = 25

    @property
    def seconds(self) -> int:
        """All of it."""
        return self.on + self.off + self.after


def through_outage(contender: Contender, folder: Path, timeline: Timeline) -> list[int]:
    """Arrivals in each second, from the first arrival on; the sink refuses connections in the outage."""
    count = int(CONNECTIONS / DELAY * (timeline.seconds - timeline.off))
    receipts.write(folder / "curve.jsonl", count)
    with (
        RunningSink(DELAY) as sink,
        Carrier(contender, Task(folder / "work", (folder / "curve.jsonl",), (sink.url,), CONNECTIONS)) as carrier,
    ):
        carrier.accept()
        running = carrier.start()
        sink.wait(1, PATIENCE, running.alive)
        arrivals = sink.arrivals()
        if not arrivals:
            raise BenchmarkFailed(f"{contender.name} delivered nothing:\n{carrier.tail()}")
        start = arrivals[0]
        for at, fault in ((timeline.on, "refuse"), (timeline.on + timeline.off, ""), (timeline.seconds, "")):
            time.sleep(max(0.0, start + at - time.monotonic()))
            sink.set(fault=fault)
        return per_second(sink.arrivals(), start, timeline.seconds)


def backlog_cost(
    contender: Contender, folder: Path, size: int, rounds: int, measured: int = 500, skipped: int = 100
) -> list[float]:
    """CPU seconds for 1,000 deliveries while `size` receipts wait; a value a round.

    The first hundred deliveries of a round are omitted: they pay for the start. What was delivered is accepted again
    before the next round, so that as many wait again.
    """
    found, waiting, first = [], 0, 0
    file = folder / "backlog.jsonl"
    with (
        RunningSink() as sink,
        Carrier(contender, Task(folder / "work", (file,), (sink.url,), CONNECTIONS)) as carrier,
    ):
        for _ in range(rounds):
            receipts.write(file, size - waiting, seed=first + 1, first=first)
            first += size - waiting
            carrier.accept()
            sink.reset()
            running = carrier.start()
            begun = sink.wait(skipped, PATIENCE, running.alive)
            before = running.cpu()
            done = sink.wait(min(begun + measured, size), PATIENCE, running.alive)
            cpu = running.cpu() - before
            carrier.end()
            if done <= begun:
                raise BenchmarkFailed(f"{contender.name} stopped delivering:\n{carrier.tail()}")
            found.append(cpu / (done - begun) * 1000)
            waiting = size - int(sink.counts()["receipts"])
    return found

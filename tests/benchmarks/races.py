"""A race: one contender carries receipts from a file to the sink, as fast as it can; what it took."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from tests.benchmarks import receipts
from tests.benchmarks.contenders import Commands, Contender, Task
from tests.benchmarks.figures import steady_rate, tally
from tests.benchmarks.process import BenchmarkFailed, Running, Used, finish
from tests.benchmarks.running_sink import RunningSink

PATIENCE = 8.0
"""Seconds without an arrival after which nothing more is waited for."""


@attrs.frozen
class Raced:
    """What came of one race.

    rate: receipts/s at the sink, in its steady part; requests: all requests/s, in theirs. accept_rate: receipts/s into
    the contender's own store, 0 where that is no step of its own. whole: receipts/s from the first command to the last
    arrival. cpu: seconds for 1,000 receipts, accepting and delivering; deliver_cpu: delivering only. peak: MB of
    memory. sink_cpu: of the sink.
    """

    receipts: int
    rate: float
    requests: float
    accept_rate: float
    whole: float
    cpu: float
    deliver_cpu: float
    peak: float
    sink_cpu: float
    lost: int
    repeated: int


class Carrier:
    """One contender at work on one task, from its first command to its end; its folder goes with the block."""

    def __init__(self, contender: Contender, task: Task) -> None:
        self.contender = contender
        self.task = task
        task.folder.mkdir(parents=True)
        self._commands: Commands = contender.prepare(task)
        self._log = task.folder / "log"
        self._running: Running | None = None

    def __enter__(self) -> Carrier:
        return self

    def __exit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.kill()
            self._running = None
        shutil.rmtree(self.task.folder, ignore_errors=True)

    def accept(self) -> Used:
        """Everything into its own store; what that took, in all."""
        used = [finish(each, self._log, environment=self._commands.environment) for each in self._commands.accept]
        return Used(sum(each.cpu for each in used), max((each.peak for each in used), default=0),
                    sum(each.seconds for each in used))  # fmt: skip

    def start(self) -> Running:
        """Start delivering; again after it ended or was killed."""
        self._running = Running(self._commands.deliver, self._log, self._commands.environment)
        return self._running

    def end(self, how: Callable[[Running], Used] = Running.stop) -> Used:
        """End delivering, by SIGTERM or as told."""
        assert self._running is not None
        running, self._running = self._running, None
        return how(running)

    def tail(self) -> str:
        """Its last words."""
        return self._log.read_text("utf-8", errors="replace")[-1500:] if self._log.exists() else ""


def race(
    contender: Contender, sink: RunningSink, folder: Path, file: Path, ids: Sequence[str], connections: int
) -> Raced:
    """Carry the receipts of a file once. Raises BenchmarkFailed when the contender does not get to its end."""
    sink.reset()
    before = sink.counts()["cpu"]
    task = Task(folder / contender.name.replace(" ", "-"), (file,), (sink.url,), connections)
    with Carrier(contender, task) as carrier:
        accepted = carrier.accept()
        running = carrier.start()
        sink.wait(len(ids), PATIENCE, running.alive)
        delivered = carrier.end()
        told, arrivals, asked = tally(ids, sink.ids()), sink.arrivals(), sink.requests()
        if contender.durable and told.lost:
            raise BenchmarkFailed(f"{contender.name} brought {told.lost} of {len(ids)} not:\n{carrier.tail()}")
    thousands = len(ids) / 1000
    return Raced(
        receipts=len(ids),
        rate=steady_rate(arrivals),
        requests=steady_rate(asked),
        accept_rate=len(ids) / accepted.seconds if accepted.seconds else 0.0,
        whole=len(ids) / (accepted.seconds + arrivals[-1] - running.began),
        cpu=(accepted.cpu + delivered.cpu) / thousands,
        deliver_cpu=delivered.cpu / thousands,
        peak=max(accepted.peak, delivered.peak) / 1e6,
        sink_cpu=(sink.counts()["cpu"] - before) / thousands,
        lost=told.lost,
        repeated=told.repeated,
    )


def inputs(folder: Path, count: int, contenders: Sequence[Contender]) -> dict[str, tuple[Path, Sequence[str]]]:
    """For each contender its file of receipts, and their ids; the share of `count` that it is to carry."""
    made: dict[int, tuple[Path, Sequence[str]]] = {}
    for size in {max(1, int(count * each.share)) for each in contenders}:
        path = folder / f"{size}.jsonl"
        made[size] = path, receipts.write(path, size)
    return {each.name: made[max(1, int(count * each.share))] for each in contenders}

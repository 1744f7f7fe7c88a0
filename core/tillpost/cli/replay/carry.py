"""Carry out a replay: by the process of `run`, or by a worker here without a source."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import attrs
import click

from tillpost.cli.pipelines import opened_journal, opened_lines, select_pipeline
from tillpost.cli.replay.shown import find, report
from tillpost.compose.config import load
from tillpost.daemon.signals import set_on_signals
from tillpost.errors import StateFolderBusy, describe
from tillpost.flow.line import Line
from tillpost.flow.upkeep import mapping_guard
from tillpost.flow.upkeep.recover import recover
from tillpost.flow.upkeep.replay import replay
from tillpost.flow.worker import Worker
from tillpost.journal import Journal, RunLock

_TELL_EVERY = 5.0
"""Seconds between two lines of progress."""
_LOOK_EVERY = 0.5
_GRACE = 30.0


def carry(file: Path, pipeline: str | None, number: int, as_json: bool) -> int:
    """Wait until every receipt put back is settled, or until a signal; return the exit code."""
    stop = threading.Event()
    set_on_signals({signal.SIGTERM: stop, signal.SIGINT: stop})
    with ExitStack() as stack:
        try:
            stack.callback(RunLock(select_pipeline(load(file, plugins=False), pipeline).state).release)
        except StateFolderBusy:
            with opened_journal(file, pipeline) as journal:
                return _watch(journal, number, as_json, stop, None)
        config = load(file)
        (line,) = stack.enter_context(opened_lines(config, [select_pipeline(config, pipeline)]))
        return _work(line, number, as_json, stop)


def _work(line: Line, number: int, as_json: bool, stop: threading.Event) -> int:
    line = attrs.evolve(line, source=None)
    _write_files(line, number, stop)
    if stop.is_set():
        report(find(line.journal, number), as_json)
        return 1
    worker = Worker(line)
    worker.start()
    try:
        return _watch(line.journal, number, as_json, stop, worker)
    finally:
        worker.stop()
        worker.join(_GRACE)


def _write_files(line: Line, number: int, stop: threading.Event) -> None:
    """A replay by file writes before any thread sends: open receipts would go by API meanwhile."""
    running = line.journal.replays.running()
    if running is not None and running.id == number and running.order.by == "file":
        recover(line)
        mapping_guard.start(line)
        while not stop.is_set() and replay(line, sys.maxsize):
            running = line.journal.replays.running()
            if running is None or running.id != number:
                break


def _watch(journal: Journal, number: int, as_json: bool, stop: threading.Event, worker: Worker | None) -> int:
    since = _TELL_EVERY
    while True:
        standing = find(journal, number)
        settled = standing.state != "running" and not journal.replays.in_progress(number)
        faulty = worker is not None and worker.fault is not None
        if settled or faulty or stop.is_set():
            break
        if since >= _TELL_EVERY:
            report(standing, as_json)
            since = 0.0
        stop.wait(_LOOK_EVERY)
        since += _LOOK_EVERY
    receipts = journal.replays.count_states(number)
    report(standing, as_json, receipts)
    if worker is not None and worker.fault is not None:
        click.echo(f"tillpost: {describe(worker.fault)}", err=True)
    good = settled and standing.state == "done" and not receipts.get("held") and not standing.not_written
    return 0 if good else 1

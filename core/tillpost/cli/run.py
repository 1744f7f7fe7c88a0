"""`tillpost run`: the line at work, until SIGTERM or, with --until-idle, until everything is settled."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.opened import as_json, lines, plain, say, sound, when
from tillpost.clock import SystemClock
from tillpost.compose.config import Config, PipelineConfig
from tillpost.errors import Finding, JournalDamaged, describe
from tillpost.flow.line import Line
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, RunLock, doctor
from tillpost.model import Document
from tillpost.sight.channels import TIMEOUT
from tillpost.sight.gaps import numbered
from tillpost.sight.watch import Watch, Watching

_TELL_EVERY = 10.0
"""Seconds between two lines about a document that is being read."""


@click.command("run")
@click.option("--until-idle", is_flag=True, help="End when the source is empty and every receipt is settled.")
@click.option("--grace", default=30.0, show_default=True, help="Seconds for calls in flight when told to stop.")
@click.option("--pipeline", "-p", "names", multiple=True, help="Only these pipelines.")
@as_json
@click.pass_obj
def command(file: Any, until_idle: bool, grace: float, names: tuple[str, ...], as_json: bool) -> None:
    """Carry receipts until told to stop (SIGTERM, Ctrl-C).

    \b
    Examples:
      tillpost run
      tillpost run --until-idle --json
    """
    told = logging.StreamHandler(sys.stderr)
    told.setFormatter(_Plain("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[told])
    config, wanted, refused = sound(file, names)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    repaired: set[Path] = set()
    with ExitStack() as stack:
        for pipeline in wanted:
            stack.callback(RunLock(pipeline.state).release)
        while True:
            carried = _carry(config, wanted, refused, stop, until_idle, grace, as_json)
            damaged = [fault for fault in carried.faults if isinstance(fault, JournalDamaged)]
            if not damaged or len(damaged) < len(carried.faults) or carried.late or stop.is_set():
                break
            if any(fault.folder in repaired for fault in damaged):
                break  # once is an accident; again is the disk
            for fault in damaged:
                _repair(fault, as_json)
                repaired.add(fault.folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # all is written down: a second one must not spoil the exit code
    if carried.late:
        click.echo("tillpost: calls in flight did not end within the grace period; they are asked for again", err=True)
    for each in carried.faults:
        click.echo(f"tillpost: {describe(each)}", err=True)
    troubled = carried.faults or carried.late or refused
    sys.exit(1 if troubled or (until_idle and (carried.held or repaired)) else 0)


class _Plain(logging.Formatter):
    """A line of the log has names of files and words of the far side in it: harmless, and one line."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


@attrs.frozen
class _Carried:
    """How the work ended: what stopped it by itself, whether calls in flight were left, how many receipts are held."""

    faults: list[Exception]
    late: bool
    held: int


def _carry(
    config: Config,
    wanted: list[PipelineConfig],
    refused: list[Finding],
    stop: threading.Event,
    until_idle: bool,
    grace: float,
    as_json: bool,
) -> _Carried:
    """Carry until told to stop, until idle, or until a pipeline stops by itself.

    refused: takes why other pipelines do not start.
    """
    try:
        with lines(config, wanted, refused) as made:
            for finding in dict.fromkeys(refused):
                off = f"{finding.key}.".startswith("alerts.")
                what = "no alerts are sent" if off else "a pipeline does not start, the others do"
                click.echo(f"tillpost: {what}: {finding}", err=True)
            workers = [Worker(line, _telling(line.name, as_json), _Reading(line, as_json)) for line in made]
            for worker in workers:
                worker.start()
            watch = _Watch(made, as_json)
            watching = _watching(config, made)
            if watching is not None:
                watching.start()
            try:
                while not stop.wait(0.1):
                    watch.look()
                    if any(worker.fault for worker in workers) or (until_idle and all(w.idle() for w in workers)):
                        break
            finally:
                for worker in workers:
                    worker.stop()
                late = [worker for worker in workers if not worker.join(grace)]
                if watching is not None:
                    watching.stop(TIMEOUT)
            faults = [worker.fault for worker in workers if worker.fault]
            if faults:
                return _Carried(faults, bool(late), 0)
            watch.look()
            return _Carried([], bool(late), sum(line.journal.receipts.counts()["held"] for line in made))
    except JournalDamaged as error:
        return _Carried([error], False, 0)


def _watching(config: Config, made: list[Line]) -> Watching | None:
    """The look for troubles of these lines; None where nobody is to be told."""
    if config.alerts is None:
        return None
    pipelines = {pipeline.name: pipeline for pipeline in config.pipelines}
    watches = [
        Watch(line.name, line.journal, config.alerts, line.clock, numbered(pipelines[line.name]), line.keep)
        for line in made
    ]
    return Watching(watches, config.alerts.every, made[0].clock)


def _repair(fault: JournalDamaged, as_json: bool) -> None:
    """A damaged journal is put right at once, or its neighbours would wait for a person; the damaged one is kept."""
    click.echo(f"tillpost: {fault}", err=True)
    done = doctor.repair(fault.folder, SystemClock().time())
    for damage in done.damages:
        whose = f" (receipt {damage.receipt})" if damage.receipt else ""
        what = f"{damage.table} {damage.row}{whose}: {damage.reason}; lost: {damage.lost}; {damage.remedy}"
        click.echo(f"tillpost: repaired: {plain(what)}", err=True)
    told = {"event": "repaired", "folder": str(fault.folder), "damages": len(done.damages), "kept": str(done.kept)}
    if as_json:
        say(told)
    else:
        click.echo(f"{fault.folder}: journal repaired, {len(done.damages)} findings; the damaged one is {done.kept}")


def _telling(name: str, as_json: bool) -> Any:
    def tell(document: Document, counts: Accepted) -> None:
        if as_json:
            say({"event": "accepted", "pipeline": name, "document": document.name, "accepted": counts.accepted})
        else:
            said = f"{counts.accepted} accepted, {counts.skipped} skipped, {counts.held} held"
            click.echo(f"{name}: {plain(document.name)}: {said}")

    return tell


class _Reading:
    """Tells every ten seconds how far a large document has been read."""

    def __init__(self, line: Line, as_json: bool) -> None:
        self._line = line
        self._json = as_json
        self._next = 0.0
        self._document = ""

    def __call__(self, document: Document, counts: Accepted) -> None:
        now = self._line.clock.monotonic()
        if document.sha256 != self._document:
            self._document, self._next = document.sha256, now + _TELL_EVERY
        if now < self._next:
            return
        self._next = now + _TELL_EVERY
        told = {"event": "reading", "pipeline": self._line.name, "document": document.name}
        percent, records = document.reading.percent(), counts.records()
        if self._json:
            say(told | {"records": records, "percent": percent})
        else:
            click.echo(f"{self._line.name}: {document.name}: {records} records so far, {percent} % read")


class _Watch:
    """Tells changes: a live line on a terminal, plain lines elsewhere."""

    def __init__(self, made: list[Line], as_json: bool) -> None:
        self._lines = made
        self._json = as_json
        self._live = sys.stdout.isatty() and not as_json
        self._last: dict[str, Any] = {}
        self._next = 0.0

    def look(self) -> None:
        for line in self._lines:
            now = line.clock.monotonic()
            state = line.gate.tenant
            if self._last.get(line.name) != state.state:
                self._last[line.name] = state.state
                told = {"event": "state", "pipeline": line.name, "state": state.state, "reason": state.reason}
                if self._json:
                    say(told | {"since": when(state.since or None)})
                else:
                    click.echo(f"{line.name}: {state.state}" + (f" ({plain(state.reason)})" if state.reason else ""))
            if self._live and now >= self._next:
                self._next = now + 0.5
                counts = line.journal.receipts.counts()
                text = " ".join(f"{name} {count}" for name, count in counts.items() if count)
                click.echo(f"\r\x1b[2K{line.name}: {text}", nl=False)

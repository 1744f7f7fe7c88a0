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

from tillpost.cli.opened import as_json, lines, one, plain, say, when
from tillpost.clock import SystemClock
from tillpost.compose.config import Config, PipelineConfig, load
from tillpost.errors import JournalDamaged, describe
from tillpost.flow.line import Line
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, RunLock, doctor
from tillpost.model import Document


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
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    config = load(file)
    wanted = [one(config, name) for name in names] or list(config.pipelines)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    repaired: set[Path] = set()
    with ExitStack() as stack:
        for pipeline in wanted:
            stack.callback(RunLock(pipeline.state).release)
        while True:
            carried = _carry(config, wanted, stop, until_idle, grace, as_json)
            damaged = [fault for fault in carried.faults if isinstance(fault, JournalDamaged)]
            if not damaged or len(damaged) < len(carried.faults) or carried.late or stop.is_set():
                break
            if any(fault.folder in repaired for fault in damaged):
                break  # once is an accident; again is the disk
            for fault in damaged:
                _repair(fault, as_json)
                repaired.add(fault.folder)
    if carried.late:
        click.echo("tillpost: calls in flight did not end within the grace period; they are asked for again", err=True)
    for each in carried.faults:
        click.echo(f"tillpost: {describe(each)}", err=True)
    sys.exit(1 if carried.faults or carried.late or (until_idle and (carried.held or repaired)) else 0)


@attrs.frozen
class _Carried:
    """How the work ended: what stopped it by itself, whether calls in flight were left, how many receipts are held."""

    faults: list[Exception]
    late: bool
    held: int


def _carry(
    config: Config, wanted: list[PipelineConfig], stop: threading.Event, until_idle: bool, grace: float, as_json: bool
) -> _Carried:
    """Carry until told to stop, until idle, or until a pipeline stops by itself."""
    try:
        with lines(config, wanted) as made:
            workers = [Worker(line, _telling(line.name, as_json)) for line in made]
            for worker in workers:
                worker.start()
            watch = _Watch(made, as_json)
            try:
                while not stop.wait(0.1):
                    watch.look()
                    if any(worker.fault for worker in workers) or (until_idle and all(w.idle() for w in workers)):
                        break
            finally:
                for worker in workers:
                    worker.stop()
                late = [worker for worker in workers if not worker.join(grace)]
            faults = [worker.fault for worker in workers if worker.fault]
            if faults:
                return _Carried(faults, bool(late), 0)
            watch.look()
            return _Carried([], bool(late), sum(line.journal.receipts.counts()["held"] for line in made))
    except JournalDamaged as error:
        return _Carried([error], False, 0)


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
            click.echo(
                f"{name}: {document.name}: {counts.accepted} accepted, {counts.skipped} skipped, {counts.held} held"
            )

    return tell


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
                    click.echo(f"{line.name}: {state.state}" + (f" ({state.reason})" if state.reason else ""))
            if self._live and now >= self._next:
                self._next = now + 0.5
                counts = line.journal.receipts.counts()
                text = " ".join(f"{name} {count}" for name, count in counts.items() if count)
                click.echo(f"\r\x1b[2K{line.name}: {text}", nl=False)

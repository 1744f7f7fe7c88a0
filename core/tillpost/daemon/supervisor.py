"""The pipelines of a `tillpost run` at work, and how a changed configuration takes the place of the one they have."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from random import SystemRandom
from typing import Any, Self

import attrs
import click

from tillpost.alerts.channels import TIMEOUT
from tillpost.alerts.watch import watching_of
from tillpost.clock import SystemClock
from tillpost.compose.change import change
from tillpost.compose.config import Config, examine
from tillpost.compose.line import line_of
from tillpost.compose.pipeline import Pipeline, compose
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.daemon.console import Reading, Watch, stand, telling
from tillpost.daemon.logs import OWN
from tillpost.daemon.systemd import Notify
from tillpost.errors import (
    ConfigurationError,
    Finding,
    JournalDamaged,
    JournalError,
    NotCommitted,
    StateFolderBusy,
    TillpostError,
)
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import Budgets, Named
from tillpost.flow.worker import Worker
from tillpost.journal import Journal, RunLock
from tillpost.journal.sqlite import control_files
from tillpost.terminal import plain, say
from tillpost.web.server import serving

_log = logging.getLogger(OWN)
_LOOK_EVERY = 0.1
"""Seconds between two looks at faults, requests and what is to be told."""


@attrs.frozen
class RunOutcome:
    """How the work ended: what stopped it by itself, whether calls in flight were left, how many receipts are held."""

    faults: list[Exception]
    late: bool
    held: int


@attrs.frozen
class _Composed:
    pipeline: Pipeline
    budgets: Named


@attrs.define(eq=False)
class _Unit:
    """One pipeline at work. next: what takes its place once its threads have ended."""

    composed: _Composed
    worker: Worker
    next: _Composed | None = None

    @property
    def config(self) -> PipelineConfig:
        """What it runs with, or is about to."""
        return (self.next or self.composed).pipeline.config


@attrs.define
class Reloaded:
    """What came of a reload. Each pipeline that runs or has run stands in one of the first five.

    late: told to end, and not ended yet; what replaces it starts when it has. refused: (pipeline, finding).
    """

    rebuilt: list[str] = attrs.field(factory=list)
    started: list[str] = attrs.field(factory=list)
    stopped: list[str] = attrs.field(factory=list)
    late: list[str] = attrs.field(factory=list)
    left_running: list[str] = attrs.field(factory=list)
    refused: list[tuple[str, Finding]] = attrs.field(factory=list)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return attrs.asdict(self) | {
            "refused": [
                {"pipeline": name, "file": each.file, "line": each.line, "key": each.key, "message": each.message,
                 "next_step": each.next_step}
                for name, each in self.refused
            ],
        }  # fmt: skip


class Supervisor:
    """Holds the run locks of its pipelines while it is entered."""

    def __init__(
        self, file: Path, names: Sequence[str], grace: float, as_json: bool, notify: Notify, status: str | None = None
    ) -> None:
        """names: the only pipelines to carry, none for all; grace: seconds for calls in flight.

        status: where the status page is served, if it is.
        """
        self.refused: list[Finding] = []
        """Why pipelines of the file do not run."""
        self._file, self._names, self._grace, self._json = file, names, grace, as_json
        self._notify = notify
        self._status = status
        self._beside = ExitStack()
        """Closed when the page is no longer served, and nobody looks for troubles any more."""
        self._locks: dict[Path, RunLock] = {}
        self._wanted: dict[str, tuple[Config, PipelineConfig]] = {}
        self._units: dict[str, _Unit] = {}
        self._leaving: list[Worker] = []
        """Handed over or removed, with calls in flight."""
        self._journals: dict[Path, Journal] = {}
        self._budgets = Budgets()
        self._config: Config | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for lock in self._locks.values():
            lock.release()

    def take(self, config: Config, wanted: Sequence[PipelineConfig], refused: Sequence[Finding]) -> None:
        """What to carry; refused: why other pipelines of the file cannot be. Raises StateFolderBusy."""
        for pipeline in wanted:
            self._lock(pipeline.state)
            self._wanted[pipeline.name] = config, pipeline
        self.refused = list(refused)
        self._budgets = Budgets(config.state)
        self._config = config

    def carry(self, stop: threading.Event, reload: threading.Event, until_idle: bool) -> RunOutcome:
        """Carry until told to stop, until idle, or until a pipeline stops by itself.

        Raises ConfigurationError when no pipeline can be composed.
        """
        try:
            self._begin()
            watch = Watch(self._json, self._notify)
            self._notify.ready(stand(self.lines()))
            while not stop.wait(_LOOK_EVERY):
                watch.look(self.lines())
                self._go_on()
                self._follow_requests(stop, reload)
                workers = [unit.worker for unit in self._units.values()]
                if any(worker.fault for worker in [*workers, *self._leaving]):
                    break
                if until_idle and all(worker.idle() for worker in workers) and not self._leaving:
                    break
            workers = [unit.worker for unit in self._units.values()] + self._leaving
            if stop.is_set():
                self._notify.stopping()
            late = self._stop(workers)
            if faults := [worker.fault for worker in workers if worker.fault]:
                return RunOutcome(faults, late, 0)
            lines = self.lines()
            watch.look(lines)
            return RunOutcome(
                [], late, sum(line.journal.receipts.counts()["held"] + line.guard.closed for line in lines)
            )
        except JournalDamaged as error:
            return RunOutcome([error], False, 0)
        finally:
            self._end()

    def lines(self) -> list[Line]:
        """What is at work now; asked from any thread."""
        return [unit.worker.line for unit in list(self._units.values())]

    def _stop(self, workers: list[Worker]) -> bool:
        """Let calls in flight end; whether some did not."""
        for worker in workers:
            worker.stop()
        with self._notify.busy():
            return not all([worker.join(self._grace) for worker in workers])  # noqa: C419 - all of them, each its time

    def _begin(self) -> None:
        made: list[_Composed] = []
        for config, pipeline in self._wanted.values():
            try:
                made.append(self._compose(config, pipeline))
            except ConfigurationError as error:
                self.refused += error.findings
        if not made:
            raise ConfigurationError(*self.refused)
        for finding in dict.fromkeys(self.refused):
            off = f"{finding.key}.".startswith("alerts.")
            _log.error("%s: %s", "no alerts are sent" if off else "a pipeline does not start, the others do", finding)
        units = [(composed, self._worker(composed)) for composed in made]
        self._units = {composed.pipeline.config.name: _Unit(composed, worker) for composed, worker in units}
        self._watch_and_serve()  # before anything is begun: an address that is taken is told at once
        for _, worker in units:
            worker.start()

    def _watch_and_serve(self) -> None:
        """Alerts and the status page of the lines there are now; in the place of those there were before.

        Raises TillpostError when the page cannot be served.
        """
        self._beside.close()
        assert self._config is not None
        if self._config.alerts is not None:
            watching = watching_of(self._config.alerts, self._config.pipelines, self.lines())
            watching.start()
            self._beside.callback(watching.stop, TIMEOUT)
        if self._status is None:
            return
        token = self._beside.enter_context(serving(self._status, self.lines(), self._config.state))
        if self._json:
            say({"event": "status page", "url": f"http://{self._status}/", "token": str(token)})
        else:
            click.echo(f"status page: http://{self._status}/ (its token is in {token})")

    def _watch_and_serve_anew(self) -> None:
        try:
            self._watch_and_serve()
        except TillpostError as error:
            _log.error("%s", error)

    def _end(self) -> None:
        self._beside.close()
        working = [unit.worker for unit in self._units.values() if not unit.worker.stopped()]
        self._stop(working)  # an error has come between
        for unit in self._units.values():
            for composed in (unit.composed, unit.next):
                if composed is not None:
                    composed.budgets.take_back()
        self._units.clear()
        self._leaving.clear()
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()
        self._budgets.close()

    def _compose(self, config: Config, pipeline: PipelineConfig) -> _Composed:
        budgets = self._budgets.apart()
        try:
            return _Composed(
                compose(config, pipeline, clock=SystemClock(), random=SystemRandom(), budget=budgets), budgets
            )
        except BaseException:
            budgets.take_back()
            raise

    def _worker(self, composed: _Composed, before: Worker | None = None) -> Worker:
        folder = composed.pipeline.config.state
        if folder not in self._journals:
            self._journals[folder] = Journal(folder)
        line = line_of(composed.pipeline, self._journals[folder], before.line if before else None)
        if before is not None:
            with suppress(NotCommitted):  # then the next probe comes when it was due anyway
                line.breaker.follow(composed.pipeline.config.retry)
        return Worker(line, telling(line.name, self._json), Reading(line, self._json))

    def _lock(self, folder: Path) -> None:
        if folder not in self._locks:
            self._locks[folder] = RunLock(folder)
            control_files.forget_answers(folder)

    # --- reload --------------------------------------------------------------------------------------------------

    def _follow_requests(self, stop: threading.Event, reload: threading.Event) -> None:
        asked = [(folder, identity) for folder in self._locks for identity in control_files.asked(folder)]
        if not asked and not reload.is_set():
            return
        reload.clear()
        with self._notify.busy():
            told = self._reload(stop).told()
        self._tell(told)
        for folder, identity in asked:
            with suppress(JournalError):  # who asked sees that nobody answers; the disk is told of by the pipelines
                control_files.answer(folder, identity, told)

    def _reload(self, stop: threading.Event) -> Reloaded:
        """Read the file again. What is refused changes nothing; what is not takes the place of what ran."""
        config, findings = examine(self._file)
        alerts = self._config.alerts if self._config else None
        if config is not None:
            self._config = config
        running = {name: unit.config for name, unit in self._units.items()}
        plan = change(running, config, findings, self._names)
        done = Reloaded(left_running=list(plan.unchanged), refused=list(plan.refused))
        made: dict[str, _Composed] = {}
        for pipeline in (*plan.changed, *plan.added):
            assert config is not None
            try:
                made[pipeline.name] = self._compose(config, pipeline)
            except ConfigurationError as error:
                done.refused += [(pipeline.name, finding) for finding in error.findings]
                if pipeline.name in running:
                    done.left_running.append(pipeline.name)
            else:
                self._wanted[pipeline.name] = config, pipeline
        removed = [self._units[name].worker for name in plan.removed]
        replaced = [self._units[name].worker for name in made if name in self._units]
        for worker in (*removed, *replaced):
            worker.stop()
        self._wait([*(worker.join for worker in removed), *(worker.hand_over for worker in replaced)], stop)
        for name in plan.removed:
            self._remove(name, done)
        for name, composed in made.items():
            if name in self._units:
                self._replace(self._units[name], composed, done)
            else:
                self._add(composed, done)
        self._wanted = {name: wanted for name, wanted in self._wanted.items() if name in self._units}
        self.refused = [finding for name, finding in done.refused if name not in self._units]
        if made or removed or (config is not None and config.alerts != alerts):
            self._watch_and_serve_anew()
        self._clear_away()
        return done

    def _wait(self, ended: list[Callable[[float], bool]], stop: threading.Event) -> None:
        """Until all of them say that it has come, at most the grace period, or until told to stop."""
        clock = SystemClock()
        end = clock.monotonic() + self._grace
        while not all(each(_LOOK_EVERY) for each in ended) and clock.monotonic() < end and not stop.is_set():
            pass

    def _remove(self, name: str, done: Reloaded) -> None:
        unit = self._units.pop(name)
        if unit.next is not None:
            unit.next.budgets.take_back()
        unit.composed.budgets.take_back()
        (done.stopped if unit.worker.join(0.0) else done.late).append(name)
        self._leaving.append(unit.worker)

    def _replace(self, unit: _Unit, composed: _Composed, done: Reloaded) -> None:
        name = composed.pipeline.config.name
        if unit.next is not None:
            unit.next.budgets.take_back()
        unit.next = composed
        (done.rebuilt if self._switch(unit) else done.late).append(name)

    def _add(self, composed: _Composed, done: Reloaded) -> None:
        config = composed.pipeline.config
        before = next((each for each in self._leaving if each.line.journal.folder == config.state), None)
        try:
            if before is not None and not before.hand_over(0.0):
                raise StateFolderBusy(f"{config.state}: what ran on it is still ending; reload again when it has")
            self._lock(config.state)
            worker = self._worker(composed, before)
            if before is None:
                worker.start()
            else:
                worker.take_over()
        except JournalError as error:
            composed.budgets.take_back()
            done.refused.append((config.name, Finding(message=str(error), key=f"pipelines.{config.name}")))
            return
        self._units[config.name] = _Unit(composed, worker)
        done.started.append(config.name)

    def _switch(self, unit: _Unit) -> bool:
        """Let what is next take over; False while the threads it replaces have not handed over."""
        assert unit.next is not None
        if unit.worker.fault is not None or not unit.worker.hand_over(0.0):
            return False
        old = unit.worker
        unit.worker = self._worker(unit.next, old)
        unit.worker.take_over()
        unit.composed.budgets.take_back()
        unit.composed, unit.next = unit.next, None
        self._leaving.append(old)
        self._clear_away()
        return True

    def _go_on(self) -> None:
        for unit in self._units.values():
            if unit.next is not None and self._switch(unit):
                self._watch_and_serve_anew()
                name = unit.config.name
                if self._json:
                    say({"event": "rebuilt", "pipeline": name})
                else:
                    click.echo(f"{name}: rebuilt")
        self._clear_away()

    def _clear_away(self) -> None:
        """Let go of workers that have ended, and of state folders nobody works on any more."""
        self._leaving = [worker for worker in self._leaving if worker.fault or not worker.join(0.0)]
        used = {unit.config.state for unit in self._units.values()} | {pipe.state for _, pipe in self._wanted.values()}
        used |= {worker.line.journal.folder for worker in self._leaving}
        for folder in [folder for folder in self._journals if folder not in used]:
            self._journals.pop(folder).close()
        for folder in [folder for folder in self._locks if folder not in used]:
            self._locks.pop(folder).release()

    def _tell(self, told: dict[str, Any]) -> None:
        if self._json:
            say({"event": "reloaded"} | told)
            return
        for line in sentences(told):
            click.echo(f"reload: {line}")


def sentences(told: dict[str, Any]) -> list[str]:
    """What came of a reload, for a person."""
    words = {
        "rebuilt": "rebuilt", "started": "started", "stopped": "stopped", "left_running": "left running",
        "late": "is ending: calls in flight have not ended within the grace period",
    }  # fmt: skip
    said = [plain(f"{name}: {word}") for key, word in words.items() for name in told[key]]
    for each in told["refused"]:
        finding = Finding(**{name: each[name] for name in ("message", "file", "line", "key", "next_step")})
        said.append(plain(f"refused: {finding}"))
    return said

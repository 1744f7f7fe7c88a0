"""The pipelines at work in this process: their run locks, journals, request rates and workers, from start to end."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import SystemRandom

import attrs

from tillpost.clock import SystemClock
from tillpost.compose.config import Config
from tillpost.compose.journals import open_journal
from tillpost.compose.line import line_of
from tillpost.compose.pipeline import Pipeline, compose
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.daemon.console import ReadingProgress, print_accepted
from tillpost.daemon.logs import OWN
from tillpost.errors import ConfigurationError, Finding, JournalError, NotCommitted, StateFolderBusy
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import Budgets, PipelineBudgets
from tillpost.flow.worker import Worker
from tillpost.journal import Journal, RunLock
from tillpost.journal.sqlite import control_files
from tillpost.terminal import answer

_log = logging.getLogger(OWN)
_AGAIN = (10.0, 60.0, 300.0)
"""Seconds before a pipeline is started again that has stopped by itself for the first, second, … time."""


_log = logging.getLogger(OWN)


@attrs.frozen
class Composed:
    """A pipeline with its plugins built, and the request rates they asked for."""

    pipeline: Pipeline
    rates: PipelineBudgets


@attrs.define(eq=False)
class Unit:
    """One pipeline at work. successor: replaces it once its threads have handed over."""

    composed: Composed
    worker: Worker
    successor: Composed | None = None
    again_at: float | None = None
    """After it stopped by itself: when it is started again, in monotonic seconds."""
    stops: int = 0
    """How often it has stopped by itself."""

    @property
    def config(self) -> PipelineConfig:
        """What it runs with, or is about to."""
        return (self.successor or self.composed).pipeline.config

    def release_rates(self) -> None:
        """Let its rates limit nothing any more."""
        for composed in (self.composed, self.successor):
            if composed is not None:
                composed.rates.release()


class RunningPipelines:
    """Every change is made by one thread; `lines` and `pipelines` answer any thread."""

    def __init__(self, state: Path, as_json: bool) -> None:
        """state: where the request rates are kept. as_json: how accepted documents are printed."""
        self.wanted: dict[str, tuple[Config, PipelineConfig]] = {}
        """What to run, also after a repair of a journal."""
        self.units: dict[str, Unit] = {}
        self.waiting: dict[str, tuple[Composed, NotCommitted]] = {}
        """Composed and not started: nothing can be committed to their journals yet."""
        self.leaving: list[Worker] = []
        """Replaced or removed, with calls still in flight."""
        self.new = False
        """Whether a person has asked for new journals where there is none."""
        self._json = as_json
        self.locks: dict[Path, RunLock] = {}
        """By state folder."""
        self._journals: dict[Path, Journal] = {}
        self._budgets = Budgets(state)

    def workers(self) -> list[Worker]:
        """Those at work, then those that are leaving."""
        return [unit.worker for unit in self.units.values()] + self.leaving

    def lines(self) -> list[Line]:
        """The lines at work now."""
        return [unit.worker.line for unit in list(self.units.values())]

    def pipelines(self) -> list[tuple[PipelineConfig, Line]]:
        """The lines at work now, each with the configuration it runs with."""
        return [(unit.composed.pipeline.config, unit.worker.line) for unit in list(self.units.values())]

    def lock(self, folder: Path) -> None:
        """Take the run lock of a state folder. Raises StateFolderBusy."""
        if folder not in self.locks:
            self.locks[folder] = RunLock(folder)
            control_files.remove_answers(folder)

    def compose(self, config: Config, pipeline: PipelineConfig) -> Composed:
        """Build the plugins. Raises ConfigurationError; no rate is kept then."""
        rates = PipelineBudgets(self._budgets)
        try:
            return Composed(compose(config, pipeline, clock=SystemClock(), random=SystemRandom(), budget=rates), rates)
        except BaseException:
            rates.release()
            raise

    def prepare(self) -> list[Finding]:
        """Compose what is wanted and open the journals; nothing is started yet. Returns why some are omitted."""
        composed: dict[str, Composed] = {}
        findings: list[Finding] = []
        for name, (config, pipeline) in self.wanted.items():
            try:
                composed[name] = self.compose(config, pipeline)
            except ConfigurationError as error:
                findings += error.findings
        self.units.clear()
        self.waiting.clear()
        for name, each in composed.items():
            self._open(name, each)
        return findings

    def start(self, name: str) -> None:
        """Start a pipeline that `prepare` has opened; one whose journal takes nothing waits."""
        unit = self.units[name]
        try:
            unit.worker.start()
        except NotCommitted as error:
            del self.units[name]
            self._wait(name, unit.composed, error)

    def start_waiting(self) -> None:
        """Try again to start those that wait for their journals."""
        for name, (composed, _) in list(self.waiting.items()):
            self._open(name, composed)
            if name in self.units:
                self.start(name)
            if name in self.units:
                del self.waiting[name]
                _log.warning("pipeline %s: its journal can be written; it has started", name)

    def _open(self, name: str, composed: Composed) -> None:
        try:
            self.units[name] = Unit(composed, self._worker(composed))
        except NotCommitted as error:
            self._wait(name, composed, error)

    def _wait(self, name: str, composed: Composed, error: NotCommitted) -> None:
        if name not in self.waiting or str(self.waiting[name][1]) != str(error):
            _log.error("pipeline %s waits, and starts by itself when its journal can be written: %s", name, error)
        self.waiting[name] = composed, error

    def add(self, composed: Composed) -> None:
        """Start one more pipeline. Raises StateFolderBusy, also while a removed one still ends on its folder."""
        state = composed.pipeline.config.state
        before = next((worker for worker in self.leaving if worker.line.journal.folder == state), None)
        if before is not None and not before.hand_over(0.0):
            raise StateFolderBusy(f"{state}: what ran on it is still ending; reload again when it has")
        self.lock(state)
        self.waiting.pop(composed.pipeline.config.name, None)
        worker = self._worker(composed, before)
        if before is None:
            worker.start()
        else:
            worker.take_over()
        self.units[composed.pipeline.config.name] = Unit(composed, worker)

    def remove(self, name: str) -> bool:
        """Take a pipeline away that was told to stop; False while its threads have not ended."""
        unit = self.units.pop(name)
        unit.release_rates()
        self.leaving.append(unit.worker)
        return unit.worker.join(0.0)

    def replace(self, composed: Composed) -> bool:
        """Replace the pipeline of this name, which was told to stop; False while its threads have not handed over."""
        unit = self.units[composed.pipeline.config.name]
        if unit.successor is not None:
            unit.successor.rates.release()
        unit.successor = composed
        return self._take_over(unit)

    def take_over(self) -> list[str]:
        """Let successors whose predecessors have handed over by now begin; returns their names."""
        return [name for name, unit in self.units.items() if unit.successor is not None and self._take_over(unit)]

    def start_stopped_again(self) -> list[str]:
        """Start the pipelines again that have stopped by themselves, each after a growing wait; returns their names."""
        started: list[str] = []
        now = SystemClock().monotonic()
        for name, unit in self.units.items():
            if unit.worker.fault is None or not unit.worker.join(0.0):
                continue
            if unit.again_at is None:
                unit.again_at = now + _AGAIN[min(unit.stops, len(_AGAIN) - 1)]
                unit.stops += 1
            elif unit.again_at <= now:
                unit.again_at = None
                if self._start_again(unit):
                    started.append(name)
        return started

    def _start_again(self, unit: Unit) -> bool:
        """With its journal opened again: a disk that failed leaves one that cannot be used."""
        folder = unit.composed.pipeline.config.state
        with suppress(JournalError):
            self._journals.pop(folder).close()
        try:
            unit.worker = self._worker(unit.composed)
            unit.worker.start()
        except JournalError as error:
            _log.error("pipeline %s cannot be started again: %s", unit.worker.line.name, error)
            unit.worker.line.heartbeat.fault = error
            return False
        return True

    def release_ended(self) -> None:
        """Forget workers that have ended, and release state folders that are not used any more."""
        self.leaving = [worker for worker in self.leaving if worker.fault or not worker.join(0.0)]
        used = {unit.config.state for unit in self.units.values()} | {each.state for _, each in self.wanted.values()}
        used |= {worker.line.journal.folder for worker in self.leaving}
        for folder in self._journals.keys() - used:
            self._journals.pop(folder).close()
        for folder in self.locks.keys() - used:
            self.locks.pop(folder).release()

    def close(self) -> None:
        """Close the journals; the workers were stopped. The run locks stay: `prepare` may be called again."""
        for unit in self.units.values():
            unit.release_rates()
        self.units.clear()
        self.leaving.clear()
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()
        self._budgets.close()

    def _worker(self, composed: Composed, before: Worker | None = None) -> Worker:
        config = composed.pipeline.config
        if config.state not in self._journals:
            event = {"event": "new journal", "pipeline": config.name, "folder": str(config.state)}

            def tell(text: str) -> None:
                answer(self._json, event, f"{config.name}: {text}")

            self._journals[config.state] = open_journal(config, SystemClock().time(), new=self.new, tell=tell)
        line = line_of(composed.pipeline, self._journals[config.state], before.line if before else None)
        if before is not None:
            with suppress(NotCommitted):  # then the next probe comes when it was due anyway
                line.breaker.use_policy(config.retry)
        return Worker(line, partial(print_accepted, line.name, self._json), ReadingProgress(line, self._json))

    def _take_over(self, unit: Unit) -> bool:
        assert unit.successor is not None
        if unit.worker.fault is not None or not unit.worker.hand_over(0.0):
            return False
        self.leaving.append(unit.worker)
        unit.worker = self._worker(unit.successor, unit.worker)
        unit.worker.take_over()
        unit.composed.rates.release()
        unit.composed, unit.successor = unit.successor, None
        return True

"""The loop of `tillpost run`: starts the pipelines, watches them, follows requests to reload, and ends them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Self

import attrs
import click

from tillpost.alerts.channels import TIMEOUT
from tillpost.alerts.watch import AlertThread
from tillpost.compose.alert_settings import AlertSettings
from tillpost.compose.config import Config, examine
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.stranded import find_stranded, left_in_sources, names_in, not_asked_for, note_pipelines
from tillpost.daemon.console import StateChanges, states
from tillpost.daemon.logs import OWN
from tillpost.daemon.reload import Reloaded, reload, sentences
from tillpost.daemon.running import RunningPipelines
from tillpost.daemon.systemd import Notifier
from tillpost.errors import ConfigurationError, Finding, JournalDamaged, JournalError
from tillpost.flow.worker import Worker
from tillpost.journal.sqlite import control_files
from tillpost.terminal import answer, say
from tillpost.web.server import serving

_log = logging.getLogger(OWN)
_LOOK_EVERY = 0.1
"""Seconds between two looks at faults, requests and changes of state."""

_RETRY_AT = 20
"""Looks between two attempts to start what waits for its journal."""


@attrs.frozen
class RunOutcome:
    """How a run ended. faults: what stopped pipelines; late: calls in flight were left.

    held: receipts that are held, and documents that were not read.
    """

    faults: list[BaseException]
    late: bool
    held: int


class Supervisor:
    """Holds the run locks of its pipelines while it is entered."""

    def __init__(
        self, config: Config, names: Sequence[str], grace: float, as_json: bool, notifier: Notifier, status: str | None
    ) -> None:
        """names: the only pipelines to run, none for all. grace: seconds for calls in flight.

        status: the address of the status page; None: no page.
        """
        self.refused: list[Finding] = []
        """Why pipelines of the file do not run."""
        self._config, self._names, self._grace, self._json = config, names, grace, as_json
        self._notifier, self._status = notifier, status
        self._running = RunningPipelines(config.state, as_json)
        self._alerts = ExitStack()
        """Closed when the thread that evaluates the alert rules is to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for lock in self._running.locks.values():
            lock.release()

    def take(self, wanted: Sequence[PipelineConfig], refused: Sequence[Finding], new: bool = False) -> None:
        """What to run; refused: why other pipelines of the file cannot. Raises StateFolderBusy.

        new: journals that are gone are begun again.
        """
        for pipeline in wanted:
            self._running.lock(pipeline.state)
            self._running.wanted[pipeline.name] = self._config, pipeline
        self.refused = list(refused)
        self._running.new = new
        note_pipelines(self._config, names_in(self._config))

    def run(self, stop: threading.Event, reload: threading.Event, until_idle: bool) -> RunOutcome:
        """Run until told to stop, until idle, or until a pipeline stops by itself. May be called again after a repair.

        Raises ConfigurationError when no pipeline can be composed, TillpostError when the page cannot be served.
        """
        running, console = self._running, StateChanges(self._json, self._notifier)
        with ExitStack() as stack:
            stack.callback(self._end)
            try:
                self._start(stack)
                self._notifier.ready(states(running.lines()))
                looks = count(1)
                while not stop.wait(_LOOK_EVERY):
                    if running.waiting and until_idle:
                        return RunOutcome([error for _, error in running.waiting.values()], False, 0)
                    if running.waiting and not next(looks) % _RETRY_AT:
                        running.start_waiting()
                    console.look(running.lines())
                    self._take_over()
                    self._follow_requests(stop, reload)
                    if self._must_end(until_idle):
                        break
                workers = running.workers()
                if stop.is_set():
                    self._notifier.stopping()
                late = self._stop(workers)
                if faults := [worker.fault for worker in workers if worker.fault]:
                    return RunOutcome(faults, late, 0)
                lines = running.lines()
                console.look(lines)
                held = sum(line.journal.receipts.counts()["held"] + line.guard.closed for line in lines)
                held += sum(sum(line.journal.documents.count_open().values()) for line in lines)
                return RunOutcome([], late, held)
            except JournalDamaged as error:
                return RunOutcome([error], False, 0)

    def _must_end(self, until_idle: bool) -> bool:
        """Whether nothing is left to run, or a journal is to be repaired, which takes a restart of all pipelines.

        A pipeline that has stopped by itself leaves the others at work, and is started again after a while.
        """
        running = self._running
        workers = running.workers()
        if any(isinstance(worker.fault, JournalDamaged) for worker in workers):
            return True
        if all(worker.fault for worker in workers) and not running.waiting:
            return True
        if until_idle:
            return not running.leaving and all(worker.fault or worker.is_idle() for worker in workers)
        for name in running.start_stopped_again():
            answer(self._json, {"event": "started again", "pipeline": name}, f"{name}: started again")
        return False

    def _start(self, stack: ExitStack) -> None:
        self.refused += self._running.prepare()
        if not self._running.units and not self._running.waiting:
            raise ConfigurationError(*self.refused)
        for finding in dict.fromkeys(self.refused):
            _log.error("%s", finding)
        left = [each.finding() for each in find_stranded(self._config, names_in(self._config))]
        for finding in [*left, *left_in_sources(self._config), *not_asked_for(self._config)]:
            _log.warning("%s", finding)
        self._watch(self._config.alerts)
        if self._status is not None:  # before anything is started: an address that is taken is an error at once
            page = serving(self._status, self._running.lines, self._config.state, lambda: self._config.alerts)
            token = stack.enter_context(page)
            url = f"http://{self._status}/"
            event = {"event": "status page", "url": url, "token": str(token)}
            answer(self._json, event, f"status page: {url} (its token is in {token})")
        for name in list(self._running.units):
            self._running.start(name)

    def _watch(self, settings: AlertSettings) -> None:
        self._alerts.close()
        thread = AlertThread(settings, self._running.pipelines)
        thread.start()
        self._alerts.callback(thread.stop, TIMEOUT)

    def _stop(self, workers: list[Worker]) -> bool:
        """Let calls in flight end; True when some did not within the grace period."""
        for worker in workers:
            worker.stop()
        with self._notifier.pinging():
            return not all([worker.join(self._grace) for worker in workers])  # noqa: C419 - all of them, each its time

    def _end(self) -> None:
        self._alerts.close()
        self._stop([worker for worker in self._running.workers() if not worker.is_stopping()])  # after an error
        self._running.close()

    def _take_over(self) -> None:
        for name in self._running.take_over():
            answer(self._json, {"event": "rebuilt", "pipeline": name}, f"{name}: rebuilt")
        self._running.release_ended()

    def _follow_requests(self, stop: threading.Event, asked: threading.Event) -> None:
        requests = [
            (folder, identity) for folder in self._running.locks for identity in control_files.take_requests(folder)
        ]
        if not requests and not asked.is_set():
            return
        asked.clear()
        with self._notifier.pinging():
            result = self._reload(stop).as_json()
        if self._json:
            say({"event": "reloaded"} | result)
        else:
            for sentence in sentences(result):
                click.echo(f"reload: {sentence}")
        for folder, identity in requests:
            with suppress(JournalError):  # `tillpost reload` sees that nobody answers; the pipelines log the disk
                control_files.write_answer(folder, identity, result)

    def _reload(self, stop: threading.Event) -> Reloaded:
        """Read the file again, and apply it."""
        config, findings = examine(Path(self._config.shown))
        done = reload(self._running, config, findings, self._names, self._grace, stop)
        self.refused = [finding for name, finding in done.refused if name not in self._running.units]
        if config is not None:
            if config.alerts != self._config.alerts:
                self._watch(config.alerts)
            self._config = config
        return done

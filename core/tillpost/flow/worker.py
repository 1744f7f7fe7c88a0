"""The worker: the threads that run the steps of a pipeline. The steps make every decision."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

import attrs

from tillpost.errors import (
    DiskFailed,
    InvalidValue,
    JournalDamaged,
    NotCommitted,
    PluginError,
    Stopped,
    TillpostError,
    describe,
)
from tillpost.flow.contacts import hints, tenant
from tillpost.flow.contacts.conflicts import look_conflicts_up
from tillpost.flow.delivery.outbox import Outbox
from tillpost.flow.delivery.verify import verify
from tillpost.flow.fallback import file_server, outage
from tillpost.flow.fallback.reconcile import reconcile
from tillpost.flow.fallback.review import review
from tillpost.flow.fallback.transfer import transfer
from tillpost.flow.fallback.withdraw import withdraw
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.heartbeat import ThreadBeat, beating_as, record_progress, record_rest
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.collected_source import CollectedSource
from tillpost.flow.intake.served_source import ServedSource
from tillpost.flow.intake.source_health import SourceHealth, reason_of
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.flow.upkeep import mapping_guard
from tillpost.flow.upkeep.clock_change import apply_clock_change
from tillpost.flow.upkeep.held import take_effect
from tillpost.flow.upkeep.observers import forget_observers, notify_observers
from tillpost.flow.upkeep.recover import recover
from tillpost.flow.upkeep.replay import replay
from tillpost.flow.upkeep.retention import RetentionPass, retain
from tillpost.journal import Accepted, FileState
from tillpost.model import Document, NotSent, Outcome
from tillpost.trace import working_on

_log = logging.getLogger("tillpost.flow")
_PAUSE = 0.2
"""Seconds between two rounds of a thread that has nothing to do."""
_ERROR_PAUSE = 1.0
"""Seconds before a round is tried again that the journal or a plugin could not finish."""


class Worker:
    """One pipeline at work in threads: its source, its deliveries, and one that maintains the rest."""

    def __init__(
        self,
        line: Line,
        on_document: Callable[[Document, Accepted], None] = lambda document, counts: None,
        on_progress: Callable[[Document, Accepted], None] = lambda document, counts: None,
    ) -> None:
        """on_document: called after each document that was read to its end. on_progress: after each commit of one."""
        self.line = line
        self._on_document = on_document
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._outbox = Outbox(line, self._stop)
        self._threads: list[threading.Thread] = []
        self._senders: list[threading.Thread] = []
        """Of the threads: those that send, and the one that settles what they have sent."""
        self._retention = RetentionPass()
        collects = line.source is not None and line.hooks.implements("collect_documents")
        self._source_empty = not collects
        self._served = (
            ServedSource(line, line.source, self._stop)
            if line.source is not None and line.hooks.implements("serve_documents")
            else None
        )

    @property
    def fault(self) -> BaseException | None:
        """Why the pipeline stopped by itself, such as a damaged journal; None while it did not."""
        return self.line.heartbeat.fault

    def start(self) -> None:
        """Recover from what was in flight, then start the threads."""
        recover(self.line)
        self.take_over()

    def take_over(self) -> None:
        """Start the threads without a recovery, in the place of a worker that has handed over.

        Both lines share their claims, so the calls that worker has in flight stay its own, and it settles them.
        """
        line = self.line
        line.heartbeat.reset()
        try:
            mapping_guard.start(line)  # a reload may have brought another mapping
            tenant.start(line)  # or another tenant
        except PluginError as error:  # the other pipelines of the process start, and this one is tried again
            _log.error("pipeline %s stops: %s", line.name, error)
            line.heartbeat.fault = error
            self.stop()
            return
        forget_observers(line)
        jobs = [("deliver", self._outbox.run_sender)] * line.workers
        jobs += [("outbox", self._run_outbox), ("maintain", self._maintain)]
        if not self._source_empty:
            jobs.append(("source", self._collect))
        if self._served is not None:
            jobs.append(("serve", self._serve))
        if line.hooks.implements("confirm_receipts") or line.hooks.implements("contacts_gone"):
            jobs.append(("verify", self._verify))
        if line.hooks.implements("observe"):
            jobs.append(("observe", self._observe))
        if file_server.is_probed(line):
            jobs.append(("file-server", self._probe_file_server))
        for number, (name, job) in enumerate(jobs):
            # Daemon threads: a call that does not return (a Retry-After of an hour, a plugin that hangs) must not keep
            # the process alive beyond the grace period. The next start asks about what was being sent.
            beat = line.heartbeat.add_thread(f"{line.name}-{name}-{number}", line.clock)
            thread = threading.Thread(target=self._run_thread, args=(job, beat), name=beat.name, daemon=True)
            beat.thread = thread
            thread.start()
            self._threads.append(thread)
            if name in ("deliver", "outbox"):
                self._senders.append(thread)

    def stop(self) -> None:
        """Ask the threads to end after what they have in hand."""
        self.line.heartbeat.stopping = True
        self._stop.set()
        self._outbox.stop_senders(self.line.workers)

    def is_stopping(self) -> bool:
        """Whether it was asked to end, or ends by itself."""
        return self._stop.is_set()

    def join(self, timeout: float) -> bool:
        """Wait for the threads; False when some are still busy after so many seconds."""
        return self._join(self._threads, timeout)

    def hand_over(self, timeout: float) -> bool:
        """After `stop`, wait for all threads except those with calls in flight; False as `join`.

        Then another worker may `take_over`, with a line that shares this one's journal, claims and breaker.
        """
        return self._join([thread for thread in self._threads if thread not in self._senders], timeout)

    def _join(self, threads: list[threading.Thread], timeout: float) -> bool:
        end = self.line.clock.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, end - self.line.clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def is_idle(self) -> bool:
        """Whether the source has nothing more, and every receipt, file and replay is finished."""
        try:
            return (
                self._source_empty
                and (self._served is None or self._served.is_idle())
                and not len(self.line.claims)
                and (self.line.journal.receipts.all_settled() or mapping_guard.is_waiting(self.line))
                and not self.line.journal.file_states.open_states()
                and self.line.journal.replays.running() is None
            )
        except (NotCommitted, JournalDamaged, DiskFailed):
            return False  # the threads meet the same error and report it

    def _run_thread(self, job: Callable[[], None], beat: ThreadBeat) -> None:
        """Run the job of a thread to its end, and again when it dies.

        A journal or disk that cannot be trusted stops the pipeline, and so does a job that dies again and again.
        """
        with working_on(self.line.name), beating_as(beat):
            while True:
                try:
                    job()
                except BaseException as error:  # noqa: BLE001 - no exception ends a thread without a word
                    if isinstance(error, JournalDamaged | DiskFailed) or not beat.record_death(describe(error)):
                        _log.error("pipeline %s stops: %s", self.line.name, describe(error))
                        self.line.heartbeat.fault = error
                        self.stop()
                        return
                    self._tell_restart(beat, error)
                    self._pause(_ERROR_PAUSE)
                else:
                    return

    def _tell_restart(self, beat: ThreadBeat, error: BaseException) -> None:
        _log.error("pipeline %s: thread %s died and is started again: %s", self.line.name, beat.name, describe(error))
        with suppress(TillpostError):  # the log has it; the journal may be the cause
            self.line.journal.events.add(
                self.line.clock.time(), "thread", "started again", thread=beat.name, reason=describe(error)
            )

    def _pause(self, seconds: float) -> None:
        record_rest()
        self.line.clock.wait(seconds, self._stop)
        record_progress()

    def _collect(self) -> None:
        assert self.line.source is not None
        source = CollectedSource(self.line, self._accept, self._stop, self.line.source.poll.total_seconds())
        while not self._stop.is_set():
            record_progress()
            self._source_empty = False
            try:
                pause = source.run_round()
            except Stopped:
                if not self._stop.is_set():
                    raise
                return
            self._source_empty = source.is_empty
            self._pause(pause)

    def _accept(self, document: Document) -> dict[str, int]:
        def on_commit(counts: Accepted) -> None:
            record_progress()
            self._on_progress(document, counts)
            if self._stop.is_set():
                raise Stopped(f"{document.name}: stopped; records committed: {counts.records()}")

        source = self.line.hooks.plugin_of("collect_documents")
        counts = accept(self.line, document, on_commit, source)
        self._on_document(document, counts)
        return counts.as_dict()

    def _serve(self) -> None:
        assert self.line.source is not None
        assert self._served is not None
        poll = self.line.source.poll.total_seconds()
        health = SourceHealth(self.line, self.line.hooks.plugin_of("serve_documents"), poll)
        while not self._stop.is_set():
            record_rest()  # the source serves for as long as the pipeline runs, in threads of its own
            try:
                answer = self.line.hooks.serve_documents(self._served, self._stop, health.works)
            except (TillpostError, OSError) as error:
                answer = NotSent(reason=reason_of(error))
            if answer is None and not self._stop.is_set():
                answer = NotSent(reason="it has ended by itself, and nobody can reach it")
            self._pause(poll if answer is None or self._stop.is_set() else health.fails(answer))
        if self._served.fault is not None:
            raise self._served.fault

    def _run_outbox(self) -> None:
        """Keep the senders busy; after `stop`, until the last call in flight is settled."""
        while not (self._stop.is_set() and self._outbox.is_empty()):
            record_progress()
            try:
                self._outbox.run_round()
            except NotCommitted as error:
                # What was sent stays marked as being sent: the destination is asked before it is sent again.
                _log.error("pipeline %s: %s", self.line.name, error)
                self._pause(_ERROR_PAUSE)
            else:
                self._outbox.wait(_PAUSE)

    def _probe_file_server(self) -> None:
        while not self._stop.is_set():
            record_progress()
            pause = file_server.AGAIN
            try:
                if self.line.duties.holds(Duty.FALLBACK_FILES):
                    pause = file_server.probe_if_due(self.line)
            except (JournalDamaged, DiskFailed):
                raise
            except (TillpostError, OSError) as error:
                _log.error("pipeline %s: file server: %s", self.line.name, describe(error))
            self._pause(pause)

    def _verify(self) -> None:
        while not self._stop.is_set():
            record_progress()
            try:
                pause = verify(self.line)
                hints.ask_if_due(self.line)
            except (JournalDamaged, DiskFailed):
                raise
            except (TillpostError, OSError) as error:
                _log.error("pipeline %s: verification: %s", self.line.name, describe(error))
                pause = _ERROR_PAUSE
            self._pause(max(pause, 0.01))

    def _observe(self) -> None:
        """In a thread of its own: an observer that takes its time keeps nothing else back."""
        while not self._stop.is_set():
            record_progress()
            try:
                pause = 0.0 if notify_observers(self.line) else _PAUSE
            except (JournalDamaged, DiskFailed):
                raise
            except (TillpostError, OSError) as error:
                _log.error("pipeline %s: observers: %s", self.line.name, describe(error))
                pause = _ERROR_PAUSE
            self._pause(pause)

    def _maintain(self) -> None:
        steps: tuple[Callable[[Line], object], ...] = (
            *UPKEEP, lambda line: retain(line, self._retention), lambda line: line.journal.tidy(),
            replay,
        )  # fmt: skip
        while not self._stop.is_set():
            record_progress()
            errors = run_steps(self.line, steps)
            for error in errors:
                # Files and receipts stay as the journal has them; a full disk may have room again in a moment.
                _log.error("pipeline %s: %s", self.line.name, describe(error))
            self._pause(_ERROR_PAUSE if errors else _PAUSE)


def run_steps(line: Line, steps: Iterable[Callable[[Line], object]]) -> list[Exception]:
    """Run the steps in order. One that fails keeps none of the others back; the errors.

    Raises JournalDamaged and DiskFailed at once.
    """
    errors: list[Exception] = []
    for step in steps:
        try:
            step(line)
        except (JournalDamaged, DiskFailed):
            raise
        except (TillpostError, OSError) as error:
            errors.append(error)
    return errors


def maintain(line: Line) -> None:
    """One round of everything but deliveries. Raises the first error, after the steps behind it."""
    if errors := run_steps(line, UPKEEP):
        raise errors[0]


def _probe(line: Line) -> None:
    if not line.breaker.allows_requests() and line.breaker.destination.probe_due <= line.clock.time():
        try:
            outcome: Outcome = line.hooks.probe()
        except (InvalidValue, PluginError) as error:
            outcome = NotSent(
                reason=str(error)
            )  # as of one without an answer: asked again later, for longer and longer
        line.breaker.record_probe(outcome)


def _write_fallback_files(line: Line) -> None:
    assert line.fallback is not None
    now, fallback = line.clock.time(), line.fallback
    line.breaker.apply(lambda destination: outage.start_fallback(destination, now, fallback.after.total_seconds()))
    if line.breaker.destination.files_due <= now:
        write_files(line)
        due = line.clock.time() + fallback.every.total_seconds()
        line.breaker.apply(lambda destination: attrs.evolve(destination, files_due=due))


def _advance_outage(line: Line) -> None:
    states = line.journal.file_states.open_states()
    to_upload, to_confirm = FileState.WRITTEN in states, bool(states)
    line.breaker.apply(lambda destination: outage.advance(destination, line.clock.time(), to_upload, to_confirm))


def _for_files(step: Callable[[Line], object]) -> Callable[[Line], None]:
    """The step, by the process that has the duty of the fallback files."""

    def run(line: Line) -> None:
        waits = line.tenant.pending is not None and (line.tenant.moved or line.breaker.allows_requests())
        if line.fallback is not None and not waits and line.duties.holds(Duty.FALLBACK_FILES):
            step(line)

    return run


UPKEEP: tuple[Callable[[Line], object], ...] = (
    apply_clock_change,
    mapping_guard.run_round,
    _probe,
    tenant.run_round,
    withdraw,
    take_effect,
    look_conflicts_up,
    *(_for_files(step) for step in (_write_fallback_files, review, transfer, reconcile, _advance_outage)),
)
"""Clock, mapping guard, probe, whose contactIds are stored, conflicts, and the files of an outage."""

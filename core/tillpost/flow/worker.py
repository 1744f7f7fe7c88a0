"""The worker: the threads that keep a pipeline's steps going. Every decision is made in the steps."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import attrs

from tillpost.errors import DiskFailed, JournalDamaged, NotCommitted, Stopped, TillpostError, describe
from tillpost.flow.delivery.outbox import Outbox
from tillpost.flow.fallback import outage
from tillpost.flow.fallback.reconcile import reconcile
from tillpost.flow.fallback.review import review
from tillpost.flow.fallback.transfer import transfer
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.heartbeat import Beat, beating, progressed, rests
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.served_source import Served
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.flow.upkeep import mapping_guard
from tillpost.flow.upkeep.clock_change import follow
from tillpost.flow.upkeep.recover import recover
from tillpost.flow.upkeep.replay import replay
from tillpost.flow.upkeep.retention import Pass, retain
from tillpost.journal import Accepted, FileState
from tillpost.model import Document
from tillpost.trace import working

_log = logging.getLogger("tillpost.flow")
_TICK = 0.2
"""Seconds between two looks for work when there was none."""


class Worker:
    """One pipeline at work in threads: its source, its deliveries, and one that attends to the outage."""

    def __init__(
        self,
        line: Line,
        accepted: Callable[[Document, Accepted], None] = lambda document, counts: None,
        reading: Callable[[Document, Accepted], None] = lambda document, counts: None,
    ) -> None:
        """accepted: told of each document that was read to its end; reading: told after each commit before that."""
        self.line = line
        self._accepted = accepted
        self._reading = reading
        self._stop = threading.Event()
        self._outbox = Outbox(line, self._stop)
        self._threads: list[threading.Thread] = []
        self._senders: list[threading.Thread] = []
        """Of the threads: those that send, and the one that settles what they have sent."""
        self._pass = Pass()
        collects = line.source is not None and line.hooks.implements("collect_documents")
        self._source_quiet = not collects
        self._served = (
            Served(line, line.source, self._stop)
            if line.source is not None and line.hooks.implements("serve_documents")
            else None
        )

    @property
    def fault(self) -> Exception | None:
        """Why the pipeline stopped by itself: the journal can no longer promise anything."""
        return self.line.heartbeat.fault

    def start(self) -> None:
        """Recover from what was in flight, then start the threads."""
        recover(self.line)
        self.take_over()

    def take_over(self) -> None:
        """Start the threads beside the senders of a worker that has handed over: its line's claims are ours, too.

        There is nothing to recover from: what it has in flight it settles itself.
        """
        line = self.line
        mapping_guard.enter(line)  # a reload may have brought another mapping
        line.heartbeat.begin()
        jobs = [("deliver", self._outbox.send)] * line.workers
        jobs += [("outbox", self._keep), ("attend", self._attend)]
        if not self._source_quiet:
            jobs.append(("source", self._collect))
        if self._served is not None:
            jobs.append(("serve", self._serve))
        for number, (name, job) in enumerate(jobs):
            # daemon: a call that does not return (a Retry-After of an hour, a plugin that hangs) must not keep the
            # process beyond the grace period, without its lock. What it was sending is asked for at the next start.
            beat = line.heartbeat.watch(f"{line.name}-{name}-{number}", line.clock)
            thread = threading.Thread(target=self._work, args=(job, beat), name=beat.name, daemon=True)
            beat.thread = thread
            thread.start()
            self._threads.append(thread)
            if name in ("deliver", "outbox"):
                self._senders.append(thread)

    def stop(self) -> None:
        """Ask the threads to end after the value at hand."""
        self.line.heartbeat.stopping = True
        self._stop.set()
        self._outbox.dismiss(self.line.workers)

    def stopped(self) -> bool:
        """Whether it was asked to end, or ends by itself."""
        return self._stop.is_set()

    def join(self, timeout: float) -> bool:
        """Wait for the threads; False when some are still busy after so many seconds."""
        return self._joined(self._threads, timeout)

    def hand_over(self, timeout: float) -> bool:
        """Wait for all threads but those with calls in flight, after `stop`; False as `join`.

        Then another worker may `take_over` a line that shares this one's journal, claims and gate.
        """
        return self._joined([thread for thread in self._threads if thread not in self._senders], timeout)

    def _joined(self, threads: list[threading.Thread], timeout: float) -> bool:
        end = self.line.clock.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, end - self.line.clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def idle(self) -> bool:
        """True when the source has nothing, or is handing nothing over, and every receipt and file is settled."""
        try:
            return (
                self._source_quiet
                and (self._served is None or self._served.quiet())
                and not len(self.line.claims)
                and (self.line.journal.receipts.all_settled() or mapping_guard.waits(self.line))
                and not self.line.journal.files.open_states()
                and self.line.journal.replays.running() is None
            )
        except (NotCommitted, JournalDamaged, DiskFailed):
            return False  # the threads meet the same, and say so

    def _work(self, job: Callable[[], None], beat: Beat) -> None:
        with working(self.line.name), beating(beat):
            self._guard(job)

    def _guard(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - told by `run` and its exit code
            _log.error("pipeline %s stops: %s", self.line.name, describe(error))
            self.line.heartbeat.fault = error
            self.stop()

    def _pause(self, seconds: float) -> None:
        rests()
        self.line.clock.wait(seconds, self._stop)
        progressed()

    def _collect(self) -> None:
        assert self.line.source is not None
        poll = self.line.source.poll.total_seconds()
        while not self._stop.is_set():
            progressed()
            try:
                collected = self.line.hooks.collect_documents(self._accept)
                self._source_quiet = collected == 0
            except Stopped:
                return
            except (JournalDamaged, DiskFailed):
                raise
            except (TillpostError, OSError) as error:
                # The source keeps its copy; the next round tries again (a full disk, a share that is away).
                self._source_quiet = False
                _log.error("pipeline %s: source: %s", self.line.name, describe(error))
            self._pause(poll)

    def _accept(self, document: Document) -> dict[str, int]:
        def told(counts: Accepted) -> None:
            progressed()
            self._reading(document, counts)
            if self._stop.is_set():
                raise Stopped(f"{document.name}: stopped after {counts.records()} records")

        counts = accept(self.line, document, told)
        self._accepted(document, counts)
        return counts.counted()

    def _serve(self) -> None:
        assert self.line.source is not None
        assert self._served is not None
        while not self._stop.is_set():
            rests()  # it serves for as long as it runs, in threads of its own
            try:
                self.line.hooks.serve_documents(self._served, self._stop)
            except (TillpostError, OSError) as error:
                _log.error("pipeline %s: source: %s", self.line.name, describe(error))
            self._pause(self.line.source.poll.total_seconds())
        if self._served.fault is not None:
            raise self._served.fault

    def _keep(self) -> None:
        """Keep the senders busy; when told to stop, until the last call in flight is settled."""
        while not (self._stop.is_set() and self._outbox.empty()):
            progressed()
            try:
                self._outbox.turn()
            except NotCommitted as error:
                # What was sent stays marked as being sent: it is asked for before it is repeated.
                _log.error("pipeline %s: %s", self.line.name, error)
                self._pause(1.0)
            else:
                self._outbox.rest(_TICK)

    def _attend(self) -> None:
        while not self._stop.is_set():
            progressed()
            try:
                attend(self.line)
                observe(self.line)
                retain(self.line, self._pass)
                self.line.journal.tidy()
                replay(self.line)
            except (JournalDamaged, DiskFailed):
                raise
            except (TillpostError, OSError) as error:
                # Files and receipts stay as the journal has them; a full disk may have room in a moment.
                _log.error("pipeline %s: %s", self.line.name, describe(error))
                self._pause(1.0)
            self._pause(_TICK)


def observe(line: Line) -> int:
    """Tell observers what is committed and what they have not been told yet; how many events there were.

    After a crash the last ones are told again. An observer that raises is named in the log and missed nothing else.
    """
    if not line.hooks.has("observe") or not line.duties.holds(Duty.OBSERVERS):
        return 0
    events = line.journal.events.untold(500)
    for event in events:
        for plugin, error in line.hooks.observe(event):
            _log.warning("pipeline %s: observer %s: %s", line.name, plugin, type(error).__name__)
    if events:
        line.journal.events.told(events[-1]["seq"])
    return len(events)


def attend(line: Line) -> None:
    """One round of everything but deliveries: probe, write files, transfer, reconcile, and tell the state."""
    follow(line)
    mapping_guard.attend(line)
    now = line.clock.time()
    destination = line.breaker.destination
    if not line.breaker.open() and destination.probe_due <= now:
        line.breaker.saw(line.hooks.probe())
    if line.fallback is None or not line.duties.holds(Duty.FALLBACK_FILES):
        return
    after, every = line.fallback.after.total_seconds(), line.fallback.every.total_seconds()
    line.breaker.change(lambda destination: outage.start_fallback(destination, now, after))
    if line.breaker.destination.files_due <= now:
        write_files(line)
        line.breaker.change(lambda destination: attrs.evolve(destination, files_due=line.clock.time() + every))
    review(line)
    transfer(line)
    reconcile(line)
    states = line.journal.files.open_states()
    to_upload, to_confirm = FileState.WRITTEN in states, bool(states)
    line.breaker.change(lambda destination: outage.progressed(destination, line.clock.time(), to_upload, to_confirm))

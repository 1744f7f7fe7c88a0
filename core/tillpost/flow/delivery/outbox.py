"""Outbox: the receipts on their way by API. One thread makes them ready and settles them, in groups; others send.

The journal has the intent of everything in it that is ready to send. After a kill the destination is asked about all
of that before any is sent again, so the outbox stays small: what the senders have in hand, and what they will send
within a few rounds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

import attrs

from tillpost.errors import NotCommitted
from tillpost.flow.delivery.deliver import Ready, claim, perform, prepare
from tillpost.flow.heartbeat import record_progress, record_rest
from tillpost.flow.line import Line
from tillpost.journal import Entry, Move, State

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.flow")
GROUP = 100
"""Receipts made ready ahead of the senders, at most. With more, a commit gains little and a kill leaves more to ask."""

_FIRST_WINDOW = 4
"""Receipts on their way at once, at first."""
_WAITING_FOR_BUDGET = 2
"""Threads that wait for the rate budget, enough to use it as soon as it allows; more would not send more."""


@attrs.frozen
class _Result:
    """What a sender hands back. move: None when nothing is to be written.

    unsent: its intent is to be withdrawn. again: its contact is known now, so it can be made ready.
    """

    job: Ready | Entry
    move: Move | None = None
    unsent: bool = False
    again: bool = False

    @property
    def entry(self) -> Entry:
        return self.job.entry if isinstance(self.job, Ready) else self.job


def _drain(queue: SimpleQueue[_T]) -> Iterator[_T]:
    """Take everything out of the queue, without waiting."""
    with suppress(Empty):
        while True:
            yield queue.get_nowait()


class Outbox:
    """The outbox of one pipeline. One thread calls `run_round`; any thread may call `perform` and `run_sender`."""

    def __init__(self, line: Line, stop: threading.Event) -> None:
        self._line = line
        self._stop = stop
        self._jobs: SimpleQueue[Ready | Entry | None] = SimpleQueue()
        self._results: SimpleQueue[_Result] = SimpleQueue()
        self._received: list[_Result] = []
        """Results that `wait` has taken from the queue."""
        self._parked: dict[str, list[Entry]] = {}
        """Contact → receipts that wait for the answer about it, which another receipt asks for."""
        self._outstanding = 0
        """Jobs without a result."""
        self._ahead = 0
        """Jobs to be made ready beyond those the senders have in hand."""
        self._window = min(_FIRST_WINDOW, line.workers)
        """Receipts that may be with the senders."""

    # --- the thread that keeps it --------------------------------------------------------------------------------

    def run_round(self) -> None:
        """Settle the results, and make ready what the senders will want next.

        Raises NotCommitted when the journal cannot take it. What was sent stays marked as being sent then, and the
        destination is asked before it is sent again.
        """
        line = self._line
        line.claims.renew()
        sending = self._may_send()
        results = self._take_results()
        if not sending:
            results += self._withdraw()
        self._outstanding -= len(results)
        self._resize(len(results) if sending else 0)
        again = self._unpark(results)
        in_hand, kept = [*(result.entry for result in results if not result.again), *again], set[int]()
        try:
            room = self._room(again) if sending else 0
            claimed = claim(line, room) if room > 0 else []
            in_hand += claimed
            prepared = prepare(line, [*again, *claimed] if sending else [])
            moves = [(result.entry.seq, result.move) for result in results if result.move is not None]
            moves += prepared.moves
            unsent = [result.entry.seq for result in results if result.unsent]
            intents = [ready.entry.seq for ready in prepared.ready]
            sendable: frozenset[int] = frozenset()
            if moves or unsent or intents:
                sendable = line.journal.receipts.advance(moves, intents, unsent, line.clock.time())
                now = line.clock.time()
                for result in results:
                    if result.move is not None and result.move.state is State.DELIVERED:
                        delay = max(0.0, now - result.entry.accepted_at)
                        line.hooks.timings.delays.record(result.move.route, delay)
            kept = {*sendable, *(entry.seq for entry in prepared.to_ask)}
        finally:
            line.claims.release(entry.seq for entry in in_hand if entry.seq not in kept)
        for ready in prepared.ready:
            if ready.entry.seq in sendable:
                self._enqueue(ready)
        asked = {entry.seq for entry in again}
        for entry in prepared.to_ask:
            self._enqueue_question(entry, asked)

    def wait(self, seconds: float) -> None:
        """Wait for a result, at most so long; then a moment more while the senders have enough to do."""
        with suppress(Empty):
            self._received.append(self._results.get(timeout=seconds))
            for _ in range(10):
                if self._jobs.qsize() <= self._ahead // 2:
                    break
                self._line.clock.wait(0.002, self._stop)

    def is_empty(self) -> bool:
        """Whether nothing is on its way."""
        return not self._outstanding

    def _may_send(self) -> bool:
        """Whether a call may begin. Without valid claims another process may send the same receipt."""
        return not self._stop.is_set() and self._line.breaker.allows_requests() and self._line.claims.are_valid()

    def _resize(self, returned: int) -> None:
        """Double the window while all of it is in use; shrink it when receipts only wait for the rate budget.

        What waits there has its intent in the journal, and is sent even when the breaker stops requests meanwhile.
        """
        waiting = self._line.pace.waiting if self._line.pace else 0
        if waiting > _WAITING_FOR_BUDGET:
            self._window = max(1, self._window - (waiting - _WAITING_FOR_BUDGET))
            self._ahead = 0
            return
        self._ahead = min(GROUP, max(2 * returned, self._ahead // 2))
        if self._outstanding + returned >= self._window:
            self._window = min(self._line.workers, 2 * self._window)

    def _room(self, again: list[Entry]) -> int:
        """How many receipts to claim; none while half of what was made ready ahead is still there."""
        if self._jobs.qsize() > self._ahead // 2:
            return 0
        parked = sum(map(len, self._parked.values()))
        return self._window + self._ahead - self._outstanding - parked - len(again)

    def _enqueue(self, job: Ready | Entry) -> None:
        self._outstanding += 1
        self._jobs.put(job)

    def _enqueue_question(self, entry: Entry, asked: set[int]) -> None:
        """Give it to a sender, unless another receipt asks about the same contact already."""
        if entry.state is not State.UNCERTAIN and entry.contact is not None and entry.seq not in asked:
            if entry.contact in self._parked:
                self._parked[entry.contact].append(entry)
                return
            self._parked[entry.contact] = []
        self._enqueue(entry)

    def _unpark(self, results: list[_Result]) -> list[Entry]:
        """Receipts whose contact was asked about: those that asked and go on, and those that waited for the answer."""
        contacts = [result.entry.contact for result in results if isinstance(result.job, Entry)]
        waited = [entry for contact in contacts for entry in self._parked.pop(contact or "", ())]
        return [*(result.entry for result in results if result.again), *waited]

    def _take_results(self) -> list[_Result]:
        received, self._received = self._received, []
        return [*received, *_drain(self._results)]

    def _withdraw(self) -> list[_Result]:
        """Take back the jobs that no sender has taken yet."""
        jobs = list(_drain(self._jobs))
        self.stop_senders(jobs.count(None))
        return [_Result(job, unsent=isinstance(job, Ready)) for job in jobs if job is not None]

    # --- the threads that send -----------------------------------------------------------------------------------

    def run_sender(self) -> None:
        """Perform one job after the other, until `stop_senders`."""
        while (job := self._jobs.get()) is not None:
            record_progress()
            try:
                self.perform(job)
            except NotCommitted as error:
                _log.error("pipeline %s: %s", self._line.name, error)
                self._line.clock.wait(1.0, self._stop)
            record_rest()

    def perform(self, job: Ready | Entry) -> None:
        """Perform one job, unless no call may begin now.

        Raises NotCommitted: what was sent stays marked as being sent, and the destination is asked before it is sent
        again.
        """
        result = _Result(job)
        try:
            if not self._may_send():
                result = _Result(job, unsent=isinstance(job, Ready))
            else:
                move = perform(self._line, job)
                result = _Result(job, move, again=move is None)
        finally:
            self._results.put(result)

    def stop_senders(self, count: int) -> None:
        """End so many threads that are in `run_sender`."""
        for _ in range(count):
            self._jobs.put(None)

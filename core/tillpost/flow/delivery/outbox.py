"""Outbox: the receipts on their way by API. One thread makes them ready and settles them, in groups; others send.

What is in it has its intent in the journal, or needs a question first. After a kill all of it is asked for before it
is repeated, so it holds few: what the senders have in hand, and what they will have sent within a few turns.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

import attrs

from tillpost.errors import NotCommitted
from tillpost.flow.delivery.deliver import Ready, carry, claim, prepare
from tillpost.flow.heartbeat import progressed, rests
from tillpost.flow.line import Line
from tillpost.journal import Entry, Move, State

_log = logging.getLogger("tillpost.flow")
GROUP = 100
"""Most receipts made ready ahead of the senders; beyond it a commit gains little and a kill leaves more to ask for."""

_FIRST = 4
"""Receipts on their way at once, at first."""
_WAITING = 2
"""Threads that wait for the rate budget, and so will use it as soon as they may; more would not send more."""


@attrs.frozen
class _Back:
    """What a sender gives back. move: None when nothing is to be written.

    unsent: its intent is to be taken back. again: its contact is known by now.
    """

    job: Ready | Entry
    move: Move | None = None
    unsent: bool = False
    again: bool = False

    @property
    def entry(self) -> Entry:
        return self.job.entry if isinstance(self.job, Ready) else self.job


class Outbox:
    """Of one pipeline. `turn` is called by one thread; `work` and `take` by any."""

    def __init__(self, line: Line, stop: threading.Event) -> None:
        self._line = line
        self._stop = stop
        self._jobs: SimpleQueue[Ready | Entry | None] = SimpleQueue()
        self._back: SimpleQueue[_Back] = SimpleQueue()
        self._seen: list[_Back] = []
        self._parked: dict[str, list[Entry]] = {}
        """Contact → receipts that wait until a question about it, which another one asks, is answered."""
        self._out = 0
        """Jobs that have not come back."""
        self._ahead = 0
        """Jobs to be made ready beyond those the senders have in hand."""
        self._window = min(_FIRST, line.workers)
        """Receipts that may be with the senders."""

    # --- the thread that keeps it --------------------------------------------------------------------------------

    def turn(self) -> None:
        """Settle what came back and make ready what the senders will want next.

        Raises NotCommitted when the journal cannot take it: what came back stays as it is in the journal, being sent,
        and is asked for before it is repeated.
        """
        line = self._line
        line.claims.renew()
        going = self._may_send()
        back = self._returned()
        if not going:
            back += self._withdrawn()
        self._out -= len(back)
        self._resize(len(back) if going else 0)
        again = self._released(back)
        mine, kept = [*(each.entry for each in back if not each.again), *again], set[int]()
        try:
            room = self._room(again) if going else 0
            claimed = claim(line, room) if room > 0 else []
            mine += claimed
            prepared = prepare(line, [*again, *claimed] if going else [])
            moves = [(each.entry.seq, each.move) for each in back if each.move is not None] + prepared.moves
            unsent = [each.entry.seq for each in back if each.unsent]
            sending = [ready.entry.seq for ready in prepared.ready]
            if moves or unsent or sending:
                line.journal.receipts.advance(moves, sending, unsent, line.clock.time())
                self._tell(back)
            kept = {*sending, *(entry.seq for entry in prepared.asking)}
        finally:
            line.claims.release(entry.seq for entry in mine if entry.seq not in kept)
        for ready in prepared.ready:
            self._put(ready)
        anew = {entry.seq for entry in again}
        for entry in prepared.asking:
            self._ask(entry, anew)

    def rest(self, seconds: float) -> None:
        """Until something has come back, at most so long; then a moment more while the senders have enough to do."""
        with suppress(Empty):
            self._seen.append(self._back.get(timeout=seconds))
            for _ in range(10):
                if self._jobs.qsize() <= self._ahead // 2:
                    break
                self._line.clock.wait(0.002, self._stop)

    def empty(self) -> bool:
        """Whether nothing is on its way."""
        return not self._out

    def _may_send(self) -> bool:
        """Whether a call may begin. Without valid claims another process may send the same receipt."""
        return not self._stop.is_set() and self._line.breaker.open() and self._line.claims.valid()

    def _tell(self, back: list[_Back]) -> None:
        """How long those that are delivered by now had taken since they were accepted."""
        now = self._line.clock.time()
        for each in back:
            if each.move is not None and each.move.state is State.DELIVERED:
                self._line.hooks.timings.delivered(each.move.route, now - each.entry.accepted_at)

    def _resize(self, back: int) -> None:
        """Twice as many while all of them are in use, fewer when they only wait for the rate budget.

        What waits there has its intent in the journal, and goes on its way even when the gate closes meanwhile.
        """
        waiting = self._line.pace.waiting if self._line.pace else 0
        if waiting > _WAITING:
            self._window = max(1, self._window - (waiting - _WAITING))
            self._ahead = 0
            return
        self._ahead = min(GROUP, max(2 * back, self._ahead // 2))
        if self._out + back >= self._window:
            self._window = min(self._line.workers, 2 * self._window)

    def _room(self, again: list[Entry]) -> int:
        """How many receipts to claim; none while half of what was made ready ahead is still there."""
        if self._jobs.qsize() > self._ahead // 2:
            return 0
        parked = sum(map(len, self._parked.values()))
        return self._window + self._ahead - self._out - parked - len(again)

    def _put(self, job: Ready | Entry) -> None:
        self._out += 1
        self._jobs.put(job)

    def _ask(self, entry: Entry, again: set[int]) -> None:
        """To a sender, unless another receipt asks about the same contact already."""
        if entry.state is not State.UNCERTAIN and entry.contact is not None and entry.seq not in again:
            if entry.contact in self._parked:
                self._parked[entry.contact].append(entry)
                return
            self._parked[entry.contact] = []
        self._put(entry)

    def _released(self, back: list[_Back]) -> list[Entry]:
        """Receipts of contacts that were asked about: those that waited for it, and those that asked and go on."""
        asked = [each.entry.contact for each in back if isinstance(each.job, Entry)]
        waited = [entry for contact in asked for entry in self._parked.pop(contact or "", ())]
        return [*(each.entry for each in back if each.again), *waited]

    def _returned(self) -> list[_Back]:
        back, self._seen = self._seen, []
        with suppress(Empty):
            while True:
                back.append(self._back.get_nowait())
        return back

    def _withdrawn(self) -> list[_Back]:
        """What no sender has taken yet."""
        back: list[_Back] = []
        dismissed = 0
        with suppress(Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is None:
                    dismissed += 1
                else:
                    back.append(_Back(job, unsent=isinstance(job, Ready)))
        self.dismiss(dismissed)
        return back

    # --- the threads that send -----------------------------------------------------------------------------------

    def send(self) -> None:
        """What a sender does: one job after the other, until there is a None among them."""
        while (job := self._jobs.get()) is not None:
            progressed()
            try:
                self.work(job)
            except NotCommitted as error:
                _log.error("pipeline %s: %s", self._line.name, error)
                self._line.clock.wait(1.0, self._stop)
            rests()

    def work(self, job: Ready | Entry) -> None:
        """One job, unless calls are not to be made now.

        Raises NotCommitted: what was sent stays marked as being sent, and is asked for before it is repeated.
        """
        back = _Back(job)
        try:
            if not self._may_send():
                back = _Back(job, unsent=isinstance(job, Ready))
            else:
                move = carry(self._line, job)
                back = _Back(job, move, again=move is None)
        finally:
            self._back.put(back)

    def dismiss(self, senders: int) -> None:
        """End so many threads that are in `send`."""
        for _ in range(senders):
            self._jobs.put(None)

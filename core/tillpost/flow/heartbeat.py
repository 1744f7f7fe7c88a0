"""Heartbeat: whether the threads of a pipeline make progress. The health page and the watchdog ask.

Each thread records when it last finished a piece of work, or that it rests: it waits for work or for the rate budget.
A thread that takes STUCK seconds for one piece of work hangs, such as in a plugin whose call never returns.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from tillpost.clock import Clock

STUCK = 600.0
"""Seconds for one piece of work after which a thread counts as hanging. Deadlines of plugins are far shorter."""
MOST_DEATHS = 5
"""Deaths of one thread within DEATHS_WITHIN seconds after which its pipeline stops: starting it again does not help."""
DEATHS_WITHIN = 300.0

_thread = threading.local()


@attrs.frozen
class Death:
    """The death of a thread's job. at: seconds since 1970. moment: monotonic. reason: without personal data."""

    thread: str
    at: float
    moment: float
    reason: str


@attrs.define(eq=False)
class ThreadBeat:
    """The heartbeat of one thread.

    since: when it last finished something, in monotonic seconds; None while it rests.
    """

    name: str
    clock: Clock
    thread: threading.Thread | None = None
    since: float | None = None
    deaths: deque[Death] = attrs.field(factory=lambda: deque(maxlen=MOST_DEATHS))
    """The last ones; its job was started again after each."""
    restarts: int = 0

    def is_alive(self) -> bool:
        """Whether the thread has begun and not ended."""
        return self.thread is not None and self.thread.is_alive()

    def record_death(self, reason: str) -> bool:
        """The job has died; whether it may be started again."""
        now = self.clock.monotonic()
        self.deaths.append(Death(self.name, self.clock.time(), now, reason))
        self.since = None
        if len(self.deaths) == MOST_DEATHS and now - self.deaths[0].moment < DEATHS_WITHIN:
            return False
        self.restarts += 1
        return True


class Heartbeat:
    """The heartbeats of one pipeline's threads. Any thread may ask."""

    def __init__(self) -> None:
        self._beats: list[ThreadBeat] = []
        self.stopping = False
        """The threads were asked to end; a thread that has ended is no fault then."""
        self.fault: BaseException | None = None
        """Why the pipeline stopped by itself."""

    def reset(self) -> None:
        """Forget earlier threads: the pipeline starts, or starts again."""
        self._beats = []
        self.stopping, self.fault = False, None

    def add_thread(self, name: str, clock: Clock) -> ThreadBeat:
        """The heartbeat of a thread that is about to start, for `beating_as`."""
        beat = ThreadBeat(name, clock)
        self._beats.append(beat)
        return beat

    def has_threads(self) -> bool:
        """Whether the pipeline was started."""
        return bool(self._beats)

    def stuck_threads(self) -> list[str]:
        """Names of threads that have been at one piece of work for too long."""
        found = []
        for beat in self._beats:
            since = beat.since
            if since is not None and beat.is_alive() and beat.clock.monotonic() - since > STUCK:
                found.append(beat.name)
        return found

    def restarts(self) -> int:
        """How often a thread of the pipeline has died and was started again."""
        return sum(beat.restarts for beat in self._beats)

    def deaths(self, since: float = 0.0) -> list[Death]:
        """The last deaths of its threads after `since` (seconds since 1970), the oldest first."""
        found = [death for beat in self._beats for death in tuple(beat.deaths) if death.at >= since]
        return sorted(found, key=lambda death: death.at)

    def dead_threads(self) -> list[str]:
        """Names of threads that have ended although nobody asked them to."""
        if self.stopping:
            return []
        return [beat.name for beat in self._beats if beat.thread and beat.thread.ident and not beat.is_alive()]


@contextmanager
def beating_as(beat: ThreadBeat) -> Iterator[None]:
    """Inside the block this thread records its progress in `beat`; it rests at first."""
    _thread.beat = beat
    try:
        yield
    finally:
        beat.since = None
        del _thread.beat


def record_progress() -> None:
    """This thread has finished a piece of work, or begins one."""
    beat: ThreadBeat | None = getattr(_thread, "beat", None)
    if beat is not None:
        beat.since = beat.clock.monotonic()


def record_rest() -> None:
    """This thread waits for work, or for the rate budget."""
    beat: ThreadBeat | None = getattr(_thread, "beat", None)
    if beat is not None:
        beat.since = None

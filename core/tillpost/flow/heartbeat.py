"""Heartbeat: whether the threads of a pipeline get on with their work, for who asks from outside (health, watchdog).

A thread has its beat: when it last finished something, or that it rests, waiting for work or for the rate budget. One
that has been at a single piece of work for STUCK hangs, such as in a plugin whose call never returns.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from tillpost.clock import Clock

STUCK = 600.0
"""Seconds with one piece of work after which a thread is taken to hang; plugins' own deadlines are well below."""

_here = threading.local()


@attrs.define(eq=False)
class Beat:
    """Of one thread. since: when it last finished something while it works, None while it rests; monotonic."""

    name: str
    clock: Clock
    thread: threading.Thread | None = None
    since: float | None = None

    def alive(self) -> bool:
        """Whether the thread has begun and not ended."""
        return self.thread is not None and self.thread.is_alive()


class Heartbeat:
    """Of one pipeline at work; any thread may ask."""

    def __init__(self) -> None:
        self._beats: list[Beat] = []
        self.stopping = False
        """Its threads were told to end; that one has ended is then no fault."""
        self.fault: Exception | None = None
        """Why the pipeline stopped by itself."""

    def begin(self) -> None:
        """The pipeline is started (again): what was of its earlier threads no longer counts."""
        self._beats = []
        self.stopping, self.fault = False, None

    def watch(self, name: str, clock: Clock) -> Beat:
        """A thread that is about to be made; it says `beating` with what is returned."""
        beat = Beat(name, clock)
        self._beats.append(beat)
        return beat

    def started(self) -> bool:
        """Whether there are threads at all."""
        return bool(self._beats)

    def stuck(self) -> list[str]:
        """Threads that have been at one piece of work for too long, by name."""
        found = []
        for beat in self._beats:
            since = beat.since
            if since is not None and beat.alive() and beat.clock.monotonic() - since > STUCK:
                found.append(beat.name)
        return found

    def dead(self) -> list[str]:
        """Threads that have ended though nobody told them to, by name."""
        if self.stopping:
            return []
        return [beat.name for beat in self._beats if beat.thread is not None and beat.thread.ident and not beat.alive()]


@contextmanager
def beating(beat: Beat) -> Iterator[None]:
    """This thread is the one of that beat, inside the block; it rests at first."""
    _here.beat = beat
    try:
        yield
    finally:
        beat.since = None
        del _here.beat


def progressed() -> None:
    """This thread has finished something, or begins with it."""
    beat: Beat | None = getattr(_here, "beat", None)
    if beat is not None:
        beat.since = beat.clock.monotonic()


def rests() -> None:
    """This thread waits for something to do, or for the rate budget."""
    beat: Beat | None = getattr(_here, "beat", None)
    if beat is not None:
        beat.since = None

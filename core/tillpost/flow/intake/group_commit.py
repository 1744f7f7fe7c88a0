"""GroupCommit: what many threads accept at the same time is read and committed by one of them for all.

Threads of one interpreter do not read side by side anyway. Where each read for itself, the one that commits lost the
interpreter at every statement to those that read: groups stayed small and commits took ten times as long. Nobody
waits for company: a group is what came in while the one before was committed.
"""

from __future__ import annotations

import threading
from collections import deque

import attrs

from tillpost.flow.intake.accept import StartedDocument, go_on, start_group
from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document

MOST = 64
"""Documents in one commit; beyond it the first waits longer than the others gain."""


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@attrs.define(eq=False)
class _Job:
    document: Document
    turn: threading.Lock = attrs.field(factory=_held)
    """Released when the job is done, or when its thread is to lead."""
    came: StartedDocument | Exception | None = None


class GroupCommit:
    """Joins the threads of one pipeline. The one that leads takes what waits; the next to wait leads after it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._led = False

    def accept(self, document: Document) -> Accepted:
        """Like `accept` of flow/intake/accept.py, for a document that does not keep the others waiting."""
        job = _Job(document)
        with self._lock:
            self._waiting.append(job)
            leads, self._led = not self._led, True
        if not leads:
            job.turn.acquire()
        if job.came is None:
            self._lead()
        assert job.came is not None
        if isinstance(job.came, Exception):
            raise job.came
        return go_on(self._line, job.came)

    def _lead(self) -> None:
        with self._lock:
            jobs = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        try:
            for job, came in zip(jobs, start_group(self._line, [job.document for job in jobs]), strict=True):
                job.came = came
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._led = heir is not None
            if heir is not None:
                heir.turn.release()
            for job in jobs:
                job.came = job.came or RuntimeError("it was not accepted")
                job.turn.release()

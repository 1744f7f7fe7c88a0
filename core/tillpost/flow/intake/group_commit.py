"""GroupCommit: documents that many threads hand over at the same time are read and committed by one thread for all.

Threads of one interpreter do not read side by side anyway. When each read for itself, the thread that commits lost
the interpreter to the others at every statement: groups stayed small, and commits took ten times as long. No document
waits for others to come: a group is what arrived while the group before it was committed.
"""

from __future__ import annotations

import threading
from collections import deque

import attrs

from tillpost.flow.intake.accept import StartedDocument, accept_first_groups, accept_rest
from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document

MAX_DOCUMENTS = 64
"""Documents in one commit. With more, the first waits longer than the others gain."""


def _acquired_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@attrs.define(eq=False)
class _Job:
    document: Document
    wake: threading.Lock = attrs.field(factory=_acquired_lock)
    """Released when the job is done, or when its thread becomes the leader."""
    result: StartedDocument | Exception | None = None


class GroupCommit:
    """Joins the threads of one pipeline. The leader commits the waiting documents, then the next in line leads."""

    def __init__(self, line: Line, source: str) -> None:
        """source: who hands them over, for the table of documents."""
        self._line = line
        self._source = source
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._has_leader = False

    def accept(self, document: Document) -> Accepted:
        """Like `accept` of accept.py. For small documents only: the others wait while it is read."""
        job = _Job(document)
        with self._lock:
            self._waiting.append(job)
            leads, self._has_leader = not self._has_leader, True
        if not leads:
            job.wake.acquire()
        if job.result is None:
            self._commit_waiting()
        assert job.result is not None
        if isinstance(job.result, Exception):
            raise job.result
        return accept_rest(self._line, job.result)

    def _commit_waiting(self) -> None:
        """As the leader: commit what waits, wake its threads, and pass the lead on."""
        with self._lock:
            jobs = [self._waiting.popleft() for _ in range(min(MAX_DOCUMENTS, len(self._waiting)))]
        try:
            results = accept_first_groups(self._line, [job.document for job in jobs], self._source)
            for job, result in zip(jobs, results, strict=True):
                job.result = result
        finally:
            with self._lock:
                successor = self._waiting[0] if self._waiting else None
                self._has_leader = successor is not None
            if successor is not None:
                successor.wake.release()
            for job in jobs:
                job.result = job.result or RuntimeError("it was not accepted")
                job.wake.release()

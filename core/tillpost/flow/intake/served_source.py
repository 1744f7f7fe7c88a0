"""Serve: what a source that is called by its senders hands documents to, from many threads at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tillpost.errors import (
    Busy,
    DiskFailed,
    JournalDamaged,
    KeyBusy,
    KeyTaken,
    TillpostError,
    describe,
)
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.group_commit import GroupCommit
from tillpost.flow.limits import SourcePolicy
from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document

_log = logging.getLogger("tillpost.flow")
_LOOK_EVERY = 1.0
"""Seconds between two looks at the room on the disk, and at a backlog of which nine tenths were used up."""
_SMALL = 64 << 10
"""Bytes of a document up to which it is read together with others."""
_RETRY_AFTER = 30.0
"""Seconds a sender is told to wait near a limit: a backlog shrinks at the rate of the destination."""
_TELL_EVERY = 10.0
"""Seconds between two lines of the log about one kind of trouble: senders repeat, and each would be a line."""


class Served:
    """Accepts documents of a serving source: its limits, its keys, and what is in flight."""

    def __init__(self, line: Line, policy: SourcePolicy, stopping: threading.Event) -> None:
        """stopping: set when the journal can no longer promise anything, so that the source ends; see `fault`."""
        self._line = line
        self._policy = policy
        self._stopping = stopping
        self._together = GroupCommit(line)
        self._lock = threading.Lock()
        self._keys: set[str] = set()
        self._in_flight = 0
        self._left = 0
        """Receipts that may be accepted before the backlog needs to be counted again."""
        self._look_at = float("-inf")
        self._narrow = False
        self._told: dict[type, float] = {}
        self.fault: TillpostError | None = None

    def quiet(self) -> bool:
        """Whether nothing is being accepted. Nobody knows whether a sender has more."""
        return not self._in_flight

    def __call__(self, document: Document) -> dict[str, int]:
        """Accept a document, or recall what its key was answered; the counts, once they are committed.

        Raises DocumentError, KeyTaken, KeyBusy, Busy, or JournalError when nothing could be committed.
        """
        with self._counted():
            try:
                return self._once(document).counted()
            except (JournalDamaged, DiskFailed) as error:
                self.fault = error
                self._stopping.set()
                raise
            except (KeyTaken, KeyBusy):
                raise
            except Exception as error:
                self._tell(document, error)
                raise

    def _once(self, document: Document) -> Accepted:
        if not document.key:
            self._admit()
            return self._accept(document)
        with self._holding(document.key):
            known = self._line.journal.idempotency_keys.recall(document.key)
            if known is None:
                self._admit()
                return self._accept(document)
            if known.sha256 != document.sha256:
                raise KeyTaken("the key was given to other content before")
            return known.counts

    def _accept(self, document: Document) -> Accepted:
        small = document.content is not None and len(document.content) <= _SMALL
        counts = self._together.accept(document) if small else accept(self._line, document)
        self._left -= counts.accepted  # of two threads one may go uncounted: the limit is not that exact
        return counts

    def _admit(self) -> None:
        """Raises Busy near a limit."""
        now = self._line.clock.monotonic()
        if now >= self._look_at:
            with self._lock:
                if now >= self._look_at:
                    self._look_at = now + _LOOK_EVERY
                    self._narrow = self._line.journal.narrow(self._policy.room)
                    if self._left <= self._policy.backlog // 10:
                        self._left = self._policy.backlog - self._line.journal.receipts.unsettled()
        if self._narrow:
            raise Busy("the disk is almost full", _RETRY_AFTER)
        if self._left <= 0:
            raise Busy("the backlog is at its limit", _RETRY_AFTER)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    @contextmanager
    def _holding(self, key: str) -> Iterator[None]:
        with self._lock:
            if key in self._keys:
                raise KeyBusy("a document with this key is being accepted")
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)

    def _tell(self, document: Document, error: Exception) -> None:
        now = self._line.clock.monotonic()
        if now >= self._told.get(type(error), float("-inf")):
            self._told[type(error)] = now + _TELL_EVERY
            _log.error("pipeline %s: source: %s: %s", self._line.name, document.name, describe(error))

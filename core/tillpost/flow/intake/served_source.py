"""The accepting end of a source that serves: its senders call it, from many threads at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tillpost.errors import Busy, DiskFailed, JournalDamaged, KeyBusy, KeyTaken, TillpostError, describe
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.group_commit import GroupCommit
from tillpost.flow.limits import SourcePolicy
from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document

_log = logging.getLogger("tillpost.flow")
_CHECK_EVERY = 1.0
"""Seconds between two checks of the free disk, and of a backlog that is near its limit."""
_SMALL = 64 << 10
"""Bytes of a document up to which it is committed together with others."""
_RETRY_AFTER = 30.0
"""Seconds a sender is told to wait near a limit: a backlog shrinks only as fast as the destination takes it."""
_LOG_EVERY = 10.0
"""Seconds between two log lines about one kind of error: senders repeat, and each time would be a line."""


class ServedSource:
    """Accepts the documents of a serving source, within its limits and each idempotency key once."""

    def __init__(self, line: Line, policy: SourcePolicy, stopping: threading.Event) -> None:
        """stopping: set when the journal is damaged or its disk fails, so that the source ends; see `fault`."""
        self._line = line
        self._policy = policy
        self._stopping = stopping
        self._source = line.hooks.plugin_of("serve_documents")
        self._group_commit = GroupCommit(line, self._source)
        self._lock = threading.Lock()
        self._keys: set[str] = set()
        self._in_flight = 0
        self._remaining = 0
        """Receipts that may be accepted before the backlog must be counted again."""
        self._check_due = float("-inf")
        self._disk_low = False
        self._log_due: dict[type, float] = {}
        self.fault: TillpostError | None = None

    def is_idle(self) -> bool:
        """Whether nothing is being accepted. Nobody knows whether a sender has more."""
        return not self._in_flight

    def __call__(self, document: Document) -> dict[str, int]:
        """Accept a document, or recall the answer to its key; the counts, once they are committed.

        Raises DocumentError, KeyTaken, KeyBusy, Busy, or JournalError when nothing could be committed.
        """
        with self._lock:
            self._in_flight += 1
        try:
            return self._accept_once(document).as_dict()
        except (JournalDamaged, DiskFailed) as error:
            self.fault = error
            self._stopping.set()
            raise
        except (KeyTaken, KeyBusy):
            raise
        except Exception as error:
            self._log(document, error)
            raise
        finally:
            with self._lock:
                self._in_flight -= 1

    def _accept_once(self, document: Document) -> Accepted:
        if not document.key:
            self._check_limits()
            return self._accept(document)
        with self._reserved(document.key):
            known = self._line.journal.idempotency_keys.recall(document.key)
            if known is None:
                self._check_limits()
                return self._accept(document)
            if known.sha256 != document.sha256:
                raise KeyTaken("the key was given to other content before")
            return known.counts

    def _accept(self, document: Document) -> Accepted:
        small = document.content is not None and len(document.content) <= _SMALL
        counts = self._group_commit.accept(document) if small else accept(self._line, document, source=self._source)
        self._remaining -= counts.accepted  # of two threads one may go uncounted: the limit is not that exact
        return counts

    def _check_limits(self) -> None:
        """Raises Busy near a limit."""
        now = self._line.clock.monotonic()
        if now >= self._check_due:
            with self._lock:
                if now >= self._check_due:
                    self._disk_low = self._line.journal.room()[0] < self._policy.room
                    if self._remaining <= self._policy.backlog // 10:
                        self._remaining = self._policy.backlog - self._line.journal.receipts.count_unsettled()
                    # Last: a thread that comes before the first count would else be told that the backlog is full.
                    self._check_due = now + _CHECK_EVERY
        if self._disk_low:
            raise Busy("the disk is almost full", _RETRY_AFTER)
        if self._remaining <= 0:
            raise Busy("the backlog is at its limit", _RETRY_AFTER)

    @contextmanager
    def _reserved(self, key: str) -> Iterator[None]:
        with self._lock:
            if key in self._keys:
                raise KeyBusy("a document with this key is being accepted")
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)

    def _log(self, document: Document, error: Exception) -> None:
        now = self._line.clock.monotonic()
        if now >= self._log_due.get(type(error), float("-inf")):
            self._log_due[type(error)] = now + _LOG_EVERY
            _log.error("pipeline %s: source: %s: %s", self._line.name, document.name, describe(error))

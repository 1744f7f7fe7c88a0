"""How a source is: it backs off while it fails, and that stands in the journal, once in the log, and in an alert."""

from __future__ import annotations

import logging

from tillpost.errors import NotCommitted, describe, system_says
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import growing_wait
from tillpost.journal import SourceState, SourceStatus
from tillpost.model import Misconfigured, NotSent, Throttled

_log = logging.getLogger("tillpost.flow")
SourceFailure = NotSent | Throttled | Misconfigured
"""What a source answers when it could not look for documents, or not serve."""
LOG_EVERY = 900.0
"""Seconds between two log lines about a source that goes on failing for the same reason."""


def reason_of(error: Exception) -> str:
    """An error as a sentence for people: of the system's errors their text and file, never a line of code."""
    return system_says(error) or describe(error)


class SourceHealth:
    """Keeps the state of one source. Used by the one thread that runs it."""

    def __init__(self, line: Line, name: str, poll: float) -> None:
        """poll: seconds between two rounds of a source that works, and the first wait of one that fails."""
        self._line, self._name, self._poll = line, name, poll
        self._status: SourceStatus | None = None
        self._log_due = 0.0

    def works(self) -> float:
        """It has done its round; returns the seconds until the next one."""
        if self._before().state != SourceState.WORKING or not self._before().since:
            if self._before().since:
                _log.info("pipeline %s: source %s works again", self._line.name, self._name)
            now = self._line.clock.time()
            self._put(SourceStatus(self._name, SourceState.WORKING, "", now, None, 0))
        return self._poll

    def fails(self, failure: SourceFailure) -> float:
        """It could not do its round; returns the seconds until it is tried again."""
        clock, before = self._line.clock, self._before()
        state = SourceState.MISCONFIGURED if isinstance(failure, Misconfigured) else SourceState.FAILING
        failures = before.failures + 1
        wait = growing_wait(failures, self._poll, getattr(failure, "retry_after", None), self._line.random)
        now = clock.time()
        since = now if before.state == SourceState.WORKING else before.since
        if (state, failure.reason) != (before.state, before.reason) or clock.monotonic() >= self._log_due:
            self._log_due = clock.monotonic() + LOG_EVERY
            _log.error("pipeline %s: source %s: %s", self._line.name, self._name, failure.reason)
        self._put(SourceStatus(self._name, state, failure.reason, since, now + wait, failures))
        return wait

    def _before(self) -> SourceStatus:
        if self._status is None:
            known = self._line.journal.sources.get(self._name)
            self._status = known or SourceStatus(self._name, SourceState.WORKING, "", 0.0, None, 0)
        return self._status

    def _put(self, status: SourceStatus) -> None:
        try:
            self._line.journal.sources.put(status, self._line.clock.time())
        except NotCommitted:  # no room on the disk: the log has it, and the next round stores it
            return
        self._status = status

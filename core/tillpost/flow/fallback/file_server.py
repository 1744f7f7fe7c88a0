"""The standing probe of the file server: an outage of it is known before it is needed."""

from __future__ import annotations

import logging

from tillpost.flow.line import Line
from tillpost.journal import FileServer
from tillpost.model import Delivered, Failure, FallbackFile, Misconfigured, Outcome, Refused

_log = logging.getLogger("tillpost.flow")
AGAIN = 60.0
"""Seconds after a failure until the file server is asked again, unless `probe_every` is shorter."""
NOBODY = "tillpost-probe.txt"
"""The name of a file that is in no folder."""


def is_probed(line: Line) -> bool:
    """Whether the pipeline has a file server to probe; when it has none, what was known of one is forgotten."""
    if line.transfer is not None and line.fallback is not None:
        return True
    if line.journal.file_server.get() is not None:
        line.journal.file_server.forget()
    return False


def probe_if_due(line: Line) -> float:
    """Ask the file server when that is due; how many seconds later to call again."""
    assert line.transfer is not None
    every = line.transfer.probe_every.total_seconds()
    known, now = line.journal.file_server.get(), line.clock.time()
    if known is not None:
        wait = min(every, AGAIN) if known.failures else every
        due = known.checked_at + wait
        if now < due <= now + wait:  # a time further ahead is of before the clock was set back
            return due - now
    record(line, _ask(line))
    return min(every, AGAIN)


def record(line: Line, outcome: Outcome) -> None:
    """Note what a call to the file server showed. Its first failure that counts is logged, and its return."""
    if isinstance(outcome, Refused):
        return  # that speaks for one file
    known, now = line.journal.file_server.get(), line.clock.time()
    if isinstance(outcome, Delivered):
        if known is not None and not known.failures and now - known.checked_at < AGAIN:
            return  # nothing new: one of many files
        since = now if known is None or known.failures else known.since
        line.journal.file_server.put(FileServer(since=since, checked_at=now))
        if known is not None and known.is_down:
            _log.warning("pipeline %s: the file server can be used again", line.name)
        return
    failures = 1 if known is None else known.failures + 1
    since = now if known is None or not known.failures else known.since
    refused = isinstance(outcome, Misconfigured)
    server = FileServer(failures=failures, reason=outcome.reason, refused=refused, since=since, checked_at=now)
    line.journal.file_server.put(server)
    if server.is_down and (known is None or not known.is_down):
        _log.warning("pipeline %s: the file server cannot be used: %s", line.name, outcome.reason)


def _ask(line: Line) -> Outcome:
    outcome = line.hooks.probe_transfer(trial=False)
    if outcome is not None:
        return outcome
    folder = line.journal.fallback_folder / (line.hooks.import_folders() or ("transactionImport",))[-1]
    nothing = FallbackFile(name=NOBODY, kind="receipts", sha256="", size=0, keys=(), path=folder / NOBODY)
    found = line.hooks.find_transferred(nothing)
    return found if isinstance(found, Failure) else Delivered()

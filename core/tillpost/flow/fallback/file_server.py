"""The standing probe of the file server: an outage of it is known before it is needed."""

from __future__ import annotations

import logging
from collections.abc import Collection

import attrs

from tillpost.flow.line import Line
from tillpost.journal import FileServer, FileState, Refusal
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
            return min(due - now, AGAIN)  # a transfer that fails makes it due earlier
    _record_probe(line, _ask(line))
    return min(every, AGAIN)


def _record_probe(line: Line, outcome: Outcome) -> None:
    """Note what a probe showed. It writes nothing, so it does not take back what a transfer was refused."""
    known = line.journal.file_server.get()
    if not isinstance(outcome, Delivered):
        _fails(line, known, outcome, 1 if known is None else known.failures + 1, Refusal.PROBE)
    elif known is not None and known.refused is Refusal.TRANSFER and FileState.WRITTEN in _open_states(line):
        line.journal.file_server.put(attrs.evolve(known, checked_at=line.clock.time()))
    else:
        _works(line, known)


def record(line: Line, outcome: Outcome) -> None:
    """Note what the transfer of a file showed.

    That settings are refused speaks for the file server. That one file failed does not: a probe is asked within a
    minute, and decides. A file that is refused says nothing of it.
    """
    known, now = line.journal.file_server.get(), line.clock.time()
    if isinstance(outcome, Delivered):
        if known is None or known.failures or now - known.checked_at >= AGAIN:  # else it is one of many files
            _works(line, known)
    elif not isinstance(outcome, Refused) and (
        known is None or not known.failures or isinstance(outcome, Misconfigured)
    ):
        _fails(line, known, outcome, 1 if known is None else max(known.failures, 1), Refusal.TRANSFER)


def _open_states(line: Line) -> Collection[FileState]:
    return line.journal.file_states.open_states()


def _works(line: Line, known: FileServer | None) -> None:
    now = line.clock.time()
    since = now if known is None or known.failures else known.since
    line.journal.file_server.put(FileServer(since=since, checked_at=now))
    if known is not None and known.is_down:
        _log.warning("pipeline %s: the file server can be used again", line.name)


def _fails(line: Line, known: FileServer | None, failure: Failure, failures: int, by: Refusal) -> None:
    now = line.clock.time()
    since = now if known is None or not known.failures else known.since
    refused = by if isinstance(failure, Misconfigured) else Refusal.NONE
    server = FileServer(failures=failures, reason=failure.reason, refused=refused, since=since, checked_at=now)
    line.journal.file_server.put(server)
    if server.is_down and (known is None or not known.is_down):
        _log.warning("pipeline %s: the file server cannot be used: %s", line.name, failure.reason)


def _ask(line: Line) -> Outcome:
    outcome = line.hooks.probe_transfer(trial=False)
    if outcome is not None:
        return outcome
    folder = line.journal.fallback_folder / (line.hooks.import_folders() or ("transactionImport",))[-1]
    nothing = FallbackFile(name=NOBODY, kind="receipts", sha256="", size=0, keys=(), path=folder / NOBODY)
    found = line.hooks.find_transferred(nothing)
    return found if isinstance(found, Failure) else Delivered()

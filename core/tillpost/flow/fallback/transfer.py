"""Transfer: upload the fallback files, contacts before the receipts that need them.

With `when = "restored"` they are uploaded once the API answers again, with `"asap"` as soon as the file server does.
"""

from __future__ import annotations

import logging

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.deadly import in_hand
from tillpost.flow.fallback import file_server
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import backoff
from tillpost.journal import FileEntry, FileState, FileStatus, Postponed
from tillpost.model import Delivered, Misconfigured, Outcome, Refused

_log = logging.getLogger("tillpost.flow")
_FAILURES = 2
"""Files that fail in a row when it is the file server that fails."""


def transfer(line: Line) -> int:
    """Upload the files that are due, in order; how many were uploaded.

    A file that fails waits alone while others succeed: after one failure the next file is tried, after two in a row
    it is the file server that fails. A file the server or the plugin refuses never stops the others.
    """
    if line.transfer is None or line.fallback is None or not may_transfer(line):
        return 0
    uploaded = 0
    # Engage drops a receipt whose contact it does not know yet (Engage contract, file import), so contacts files of
    # the same batch and of earlier ones must be confirmed first.
    alone = line.failing_alone
    contacts = [each for each in line.journal.file_states.unconfirmed_contacts() if not _is_imported(each, line)]
    unconfirmed = next((each.sequence for each in contacts if each.name not in alone), None)
    stuck = [each.name for each in contacts if each.name in alone]
    dependent = line.journal.file_states.needing(stuck) if stuck else frozenset[str]()
    failed: list[str] = []
    # Contacts are looked up before their file is uploaded, except while the API is away.
    for status in line.journal.file_states.to_upload(before=unconfirmed, unreviewed=not line.breaker.allows_requests()):
        now = line.clock.time()
        if status.name in dependent:
            continue
        if status.due > now:
            if status.name not in alone:
                failed.append(status.name)
            if len(failed) == _FAILURES:
                break  # the file server failed a moment ago; the next attempt is at the first due time of these
            continue
        entry = line.journal.files.get(status.name)
        outcome = _transfer(line, entry)
        file_server.record(line, outcome)
        now = line.clock.time()
        if isinstance(outcome, Delivered):
            alone.discard(status.name)
            alone.update(failed)
            failed = []
            line.journal.files.move(entry, FileState.UPLOADED, now, due=now, server=line.server)
            uploaded += 1
            continue
        due = now + backoff(entry.attempts + 1, line.transfer, line.random)
        line.journal.files.postpone([Postponed(entry=entry, due=due, reason=outcome.reason)])
        # During the outage nobody expects the file to be uploaded. Wrong settings and a refused file need a person at
        # once: a host key that has changed is not trusted after three hours either.
        needs_person = isinstance(outcome, Misconfigured | Refused)
        since = 0.0 if needs_person else max(entry.written_at, line.breaker.destination.since)
        alert_if_stuck(line, entry, since, outcome.reason)
        if isinstance(outcome, Refused):
            alone.add(status.name)
        elif status.name not in alone:
            failed.append(status.name)
        if len(failed) == _FAILURES or isinstance(outcome, Misconfigured):
            break
    return uploaded


def _transfer(line: Line, entry: FileEntry) -> Outcome:
    try:
        with in_hand(line, "transfer", entry.file.name):
            return line.hooks.transfer(entry.file)
    except (InvalidValue, PluginError) as error:
        return Refused(reason=str(error))


def may_transfer(line: Line) -> bool:
    """Whether the file server may be called now."""
    return line.breaker.allows_requests() or (line.transfer is not None and line.transfer.when == "asap")


def _is_imported(status: FileStatus, line: Line) -> bool:
    """Whether a contacts file counts as imported although nobody can confirm it, because the API is away.

    Engage deletes a file once it is processed (Engage contract, file import). `check_every` after the file was found
    gone, its contacts count as imported.
    """
    assert line.fallback is not None
    if line.breaker.allows_requests() or status.state is not FileState.CONSUMED or status.consumed_at is None:
        return False
    return line.clock.time() - status.consumed_at >= line.fallback.check_every.total_seconds()


def alert_if_stuck(line: Line, entry: FileEntry, since: float, reason: str) -> None:
    """Alert a person when the file has been stuck for longer than `alert_after`, unless that was done before.

    since: when the file should have moved on, in seconds since 1970; 0 when waiting will not fix it.
    """
    assert line.fallback is not None
    now = line.clock.time()
    if entry.alerted_at is None and now - since > line.fallback.alert_after.total_seconds():
        line.journal.files.mark_stuck(entry.file.name, reason, now)
        _log.warning("pipeline %s: file %s stays %s: %s", line.name, entry.file.name, entry.state, reason)

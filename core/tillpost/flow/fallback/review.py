"""Review: look up the contacts of fallback files before they are uploaded.

Somebody may have registered at the web shop meanwhile. Files that are outdated by then are written again (rewrite.py).
A contact whose lookup has no answer, though the destination answers, is taken out of its file: it keeps back no other.
Nor does a batch that the plugin cannot write again.
"""

from __future__ import annotations

import logging
from itertools import groupby

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.contacts.contact_lookup import LOOKUPS, look_up_all
from tillpost.flow.contacts.resolve import confirmed_between
from tillpost.flow.fallback.rewrite import rewrite
from tillpost.flow.fallback.transfer import alert_if_stuck
from tillpost.flow.line import Line
from tillpost.journal import FileStatus, Postponed
from tillpost.journal.database import ALL

_log = logging.getLogger("tillpost.flow")

_GROUP = 50
"""Contacts in a round: their answers are one commit, and the other steps run between two rounds."""


def review(line: Line) -> bool:
    """Review some files; True when something was done and another round may follow at once."""
    if line.fallback is None or line.guard.closed or not line.breaker.allows_requests():
        line.silent.clear()  # whoever had no answer is asked again after the outage
        return False  # with the guard closed, outdated files could not be written again
    files = line.journal.file_states.unreviewed()
    keys: list[str] = []
    for status in files:
        if len(keys) < _GROUP:
            # From several files: an outage of days has hundreds, each with a few contacts.
            found = _unanswered(line, status, _GROUP - len(keys) + len(line.silent))
            keys += [key for key in found if key not in keys and key not in line.silent]
    if keys:
        return _look_up(line, keys)
    current: list[str] = []
    rewritten = False
    for _, batch in groupby(files, key=lambda status: status.sequence):
        in_batch = list(batch)
        outdated = in_batch if _has_silent(line, in_batch) else [each for each in in_batch if _is_outdated(line, each)]
        current += [status.name for status in in_batch if status not in outdated]
        if outdated and not _waits(line, outdated):
            rewritten = _try_rewrite(line, outdated)
            if rewritten:
                break
    if current:
        line.journal.files.mark_reviewed(current)
    return rewritten or bool(current)


def _waits(line: Line, outdated: list[FileStatus]) -> bool:
    """Whether these could not be written again a moment ago."""
    return all(each.name in line.failing_alone and each.due > line.clock.time() for each in outdated)


def _try_rewrite(line: Line, outdated: list[FileStatus]) -> bool:
    """Write files of one batch again; False when the plugin fails at them, which keeps no other batch back."""
    assert line.fallback is not None
    files = [line.journal.files.get(status.name) for status in outdated]
    names = {entry.file.name for entry in files}
    try:
        rewrite(line, files)
    except (InvalidValue, PluginError) as error:
        reason = f"it cannot be written again: {error}"
        due = line.clock.time() + line.fallback.check_every.total_seconds()
        line.journal.files.postpone([Postponed(entry=each, due=due, reason=reason) for each in files])
        for entry in files:
            alert_if_stuck(line, entry, 0.0, reason)
        line.failing_alone.update(names)
        return False
    line.failing_alone.difference_update(names)
    return True


def _look_up(line: Line, keys: list[str]) -> bool:
    silent: dict[str, str] = {}
    for _ in range(LOOKUPS):  # one lost answer is no trouble of the contact
        silent = look_up_all(line, silent or keys, "lookup")
        if not silent:
            return True
        if not line.breaker.answers():
            return False
    for reason in silent.values():
        _log.warning("pipeline %s: a contact is taken out of its file, its lookup has no answer: %s", line.name, reason)
    line.silent.update(silent)
    return True


def _has_silent(line: Line, batch: list[FileStatus]) -> bool:
    return bool(line.silent) and any(
        not line.silent.keys().isdisjoint(_unanswered(line, status, ALL)) for status in batch
    )


def _unanswered(line: Line, status: FileStatus, limit: int) -> list[str]:
    """Contacts of the file that are to be asked about before it is uploaded."""
    if status.kind == "contacts":
        return line.journal.contact_lookups.to_look_up(status.name, limit)
    return line.journal.contact_lookups.to_confirm(status.name, *confirmed_between(line), limit)


def _is_outdated(line: Line, status: FileStatus) -> bool:
    if status.kind == "contacts":
        return bool(line.journal.contact_lookups.outdated(status.name))
    return line.journal.files.names_unknown_contact(status.name) or bool(line.journal.files.voided_unsent(status.name))

"""Review: look up the contacts of fallback files before they are uploaded.

Somebody may have registered at the web shop meanwhile. Files that are outdated by then are written again (rewrite.py).
"""

from __future__ import annotations

from itertools import groupby

from tillpost.flow.delivery.resolve import confirmed_between
from tillpost.flow.fallback.contact_lookup import look_up_all
from tillpost.flow.fallback.rewrite import rewrite
from tillpost.flow.line import Line
from tillpost.journal import FileStatus

_GROUP = 50
"""Contacts in a round: their answers are one commit, and the other steps run between two rounds."""


def review(line: Line) -> bool:
    """Review some files; True when something was done and another round may follow at once."""
    if line.fallback is None or line.guard.closed or not line.breaker.allows_requests():
        return False  # with the guard closed, outdated files could not be written again
    files = line.journal.file_states.unreviewed()
    keys: list[str] = []
    for status in files:
        if len(keys) < _GROUP:
            # From several files: an outage of days has hundreds, each with a few contacts.
            room, lookups = _GROUP - len(keys), line.journal.contact_lookups
            if status.kind == "contacts":
                found = lookups.to_look_up(status.name, room)
            else:
                found = lookups.to_confirm(status.name, *confirmed_between(line), room)
            keys += [key for key in found if key not in keys]
    if keys:
        return look_up_all(line, keys, "lookup")
    current: list[str] = []
    for _, batch in groupby(files, key=lambda status: status.sequence):
        in_batch = list(batch)
        outdated = [status for status in in_batch if _is_outdated(line, status)]
        current += [status.name for status in in_batch if status not in outdated]
        if outdated:
            rewrite(line, [line.journal.files.get(status.name) for status in outdated])
            break
    if current:
        line.journal.files.mark_reviewed(current)
    return bool(files)


def _is_outdated(line: Line, status: FileStatus) -> bool:
    if status.kind == "contacts":
        return bool(line.journal.contact_lookups.outdated(status.name))
    return line.journal.files.names_unknown_contact(status.name)

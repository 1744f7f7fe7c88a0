"""Stuck files: alert a person, once, to a file that stays where it is for too long."""

from __future__ import annotations

import logging

from tillpost.flow.line import Line
from tillpost.journal import FileEntry

_log = logging.getLogger("tillpost.flow")


def alert_if_stuck(line: Line, entry: FileEntry, since: float, reason: str) -> None:
    """Alert a person when the file has been stuck for longer than `alert_after`, unless that was done before.

    since: when the file should have moved on, in seconds since 1970; 0 when waiting will not fix it.
    """
    assert line.fallback is not None
    now = line.clock.time()
    if entry.alerted_at is None and now - since > line.fallback.alert_after.total_seconds():
        line.journal.files.mark_stuck(entry.file.name, reason, now)
        _log.warning("pipeline %s: file %s stays %s: %s", line.name, entry.file.name, entry.state, reason)

"""Alert: a person is told, once, of a file that stays where it is for too long."""

from __future__ import annotations

import logging

from tillpost.flow.line import Line
from tillpost.journal import FileEntry

_log = logging.getLogger("tillpost.flow")


def alert_if_stuck(line: Line, entry: FileEntry, since: float, reason: str) -> None:
    """Tell of the file when it has been so for longer than `alert_after`, unless that was told already.

    since: seconds since 1970 from which on it should have gone its way; 0 when waiting will not fix it.
    """
    assert line.fallback is not None
    now = line.clock.time()
    if entry.alerted_at is None and now - since > line.fallback.alert_after.total_seconds():
        line.journal.files.alert(entry.file.name, reason, now)
        _log.warning("pipeline %s: file %s stays %s: %s", line.name, entry.file.name, entry.state, reason)

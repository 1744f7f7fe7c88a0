"""Withdraw: without a `fallback` nobody uploads or follows the files that were written, so their receipts go by API."""

from __future__ import annotations

import logging

from tillpost.flow.fallback import outage
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.journal import FileState
from tillpost.terminal import counted

_log = logging.getLogger("tillpost.flow")
REASON = "sent by API: the pipeline has no `fallback` any more"


def withdraw(line: Line) -> int:
    """Take the receipts out of the files of an earlier fallback once the API answers; how many there were.

    What was uploaded is looked for in the history first, after the import time. Ids stay the same, so a receipt that
    its file brings, too, is ignored.
    """
    if line.fallback is not None or not line.breaker.allows_requests() or not line.duties.holds(Duty.FALLBACK_FILES):
        return 0
    receipts, files = 0, line.journal.files.open() if line.journal.file_states.open_states() else []
    for entry in files:
        now = line.clock.time()
        due = max(now, (entry.uploaded_at or now) + line.retry.confirm_after.total_seconds())
        receipts += line.journal.files.withdraw(entry, due, REASON, now)
        if entry.state is FileState.WRITTEN:
            entry.file.path.unlink(missing_ok=True)
    if files:
        what = f"{counted(len(files), 'fallback file')} with {counted(receipts, 'receipt')}"
        _log.warning("pipeline %s: %s: %s", line.name, what, REASON)
    line.breaker.apply(lambda destination: outage.advance(destination, line.clock.time(), False, False))
    return receipts

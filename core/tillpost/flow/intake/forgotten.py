"""Whether the source has put away documents that the journal does not know: then the journal is older than they are.

A whole machine that was put back takes its marks back with it; a folder on a share, or on another disk, stays.
"""

from __future__ import annotations

import logging

from tillpost.flow.line import Line
from tillpost.terminal import counted

_log = logging.getLogger("tillpost.flow")
_KNOWN = 10_000
"""The newest documents of the journal that are compared."""
_NAMED = 5


def tell_forgotten(line: Line) -> None:
    """Record what the journal does not know as a loss, after a start. Raises PluginError when the source cannot say."""
    if not line.hooks.implements("find_taken"):
        return
    known = line.journal.documents.newest(_KNOWN)
    if not known:
        return  # a new journal, or one of a version without documents
    taken = line.hooks.find_taken(known[0].last_at)
    digests = {entry.sha256 for entry in known}
    if not (names := [document.name for document in taken if document.sha256 not in digests]):
        return
    listed = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    count = counted(len(names), "document")
    what = f"{count} of the source, put away as read, not in this journal, which is an older one: {listed}"
    step = (
        "put the newer journal back, or have them read again (`tillpost accept` with each file; Engage ignores receipts"
        " it has); then `tillpost journal losses --settle`"
    )
    line.journal.losses.record(line.clock.time(), what, step)
    _log.error("pipeline %s: %s: %s", line.name, what, step)

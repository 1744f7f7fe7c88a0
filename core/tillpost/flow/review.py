"""Review: before the files of an outage go up, what has become of their contacts meanwhile is looked up.

Somebody may have registered at the web shop. The files that say what is no longer so are written anew (rewrite.py).
"""

from __future__ import annotations

from itertools import groupby

from tillpost.flow.line import Line
from tillpost.flow.look import look
from tillpost.flow.rewrite import rewrite
from tillpost.journal import FileEntry, FileState

_GROUP = 50
"""Contacts a round: their answers are one commit, and the other steps have their turn in between."""


def review(line: Line) -> bool:
    """A round of it; True when something moved and another round may follow at once."""
    if line.fallback is None or not line.gate.open():
        return False
    files = [entry for entry in line.journal.files.open() if entry.state is FileState.WRITTEN and not entry.reviewed]
    for entry in files:
        if entry.file.kind == "contacts" and (keys := line.journal.looks.unlooked(entry.file.name, _GROUP)):
            return look(line, keys, "lookup")
    good: list[str] = []
    for _, batch in groupby(files, key=lambda entry: entry.sequence):
        together = list(batch)
        outdated = [entry for entry in together if _outdated(line, entry)]
        good += [entry.file.name for entry in together if entry not in outdated]
        if outdated:
            rewrite(line, outdated)
            break
    line.journal.files.review(good) if good else None
    return bool(files)


def _outdated(line: Line, entry: FileEntry) -> bool:
    if entry.file.kind == "contacts":
        return bool(line.journal.looks.outdated(entry.file.name))
    return line.journal.files.misnaming(entry.file.name)

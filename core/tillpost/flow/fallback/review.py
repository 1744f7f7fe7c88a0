"""Review: before the fallback files go up, what has become of their contacts meanwhile is looked up.

Somebody may have registered at the web shop. The files that say what is no longer so are written anew (rewrite.py).
"""

from __future__ import annotations

from itertools import groupby

from tillpost.flow.fallback.contact_lookup import look_up_all
from tillpost.flow.fallback.rewrite import rewrite
from tillpost.flow.line import Line
from tillpost.journal import Standing

_GROUP = 50
"""Contacts a round: their answers are one commit, and the other steps have their turn in between."""


def review(line: Line) -> bool:
    """A round of it; True when something moved and another round may follow at once."""
    if line.fallback is None or line.guard.closed or not line.breaker.allows_requests():
        return False  # closed, what is outdated could not be written anew
    files = line.journal.files.unreviewed()
    keys: list[str] = []
    for standing in files:
        if standing.kind == "contacts" and len(keys) < _GROUP:
            # Of several files: an outage of days has hundreds, each of a few contacts.
            keys += line.journal.contact_lookups.unlooked(standing.name, _GROUP - len(keys))
    if keys:
        return look_up_all(line, keys, "lookup")
    good: list[str] = []
    for _, batch in groupby(files, key=lambda standing: standing.sequence):
        together = list(batch)
        outdated = [standing for standing in together if _outdated(line, standing)]
        good += [standing.name for standing in together if standing not in outdated]
        if outdated:
            rewrite(line, [line.journal.files.get(standing.name) for standing in outdated])
            break
    line.journal.files.review(good) if good else None
    return bool(files)


def _outdated(line: Line, standing: Standing) -> bool:
    if standing.kind == "contacts":
        return bool(line.journal.contact_lookups.outdated(standing.name))
    return line.journal.files.misnaming(standing.name)

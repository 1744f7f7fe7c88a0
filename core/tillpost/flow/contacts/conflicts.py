"""Conflicts: contacts whose keys lead to several are looked up again, because customer care may merge these meanwhile.

Their receipts stay held, and a person may decide at any time; once a lookup finds one contact they go out.
"""

from __future__ import annotations

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.contacts.resolve import longest_lookup_wait, look_again, postpone_lookup
from tillpost.flow.line import Line

_GROUP = 20
"""Contacts looked up in a round, so that the other steps of the upkeep run between two rounds."""


def look_conflicts_up(line: Line) -> int:
    """A step of the upkeep: look those up that are due; how many are in conflict no more."""
    if (
        not line.breaker.allows_requests()
        or line.tenant.pending is not None
        or not line.hooks.implements("reconcile_contact")
        or not line.journal.contacts.counts()["conflicts"]
    ):
        return 0
    ended = 0
    for key in _due(line):
        with line.contact_locks.lock(key):
            if key not in _due(line, key):
                continue  # another thread has looked it up
            try:
                look_again(line, key)
            except (InvalidValue, PluginError):
                postpone_lookup(line, key)  # the trouble of one keeps back no other
            ended += not line.journal.contact_lookups.conflict_reason(key)
        if not line.breaker.allows_requests():
            break
    return ended


def _due(line: Line, key: str = "") -> list[str]:
    now = line.clock.time()
    return line.journal.contact_lookups.conflicts_due(now, now + longest_lookup_wait(line), _GROUP, key)

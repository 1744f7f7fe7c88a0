"""Hints: the destination is asked now and then which contacts are gone, so that their ids are doubted in time.

Nothing depends on it: what it names is asked about before it is believed, and what it does not name is found by
`revalidate` and the verification. It makes one request an hour, behind everything else.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import attrs

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import leftover_requests
from tillpost.model import NoHints
from tillpost.terminal import counted

_log = logging.getLogger("tillpost.flow")
EVERY, ABSENT = 3600.0, 86400.0
"""Seconds between two rounds, and after an answer that the destination has no such question."""
OVERLAP = 900.0
"""Seconds before the last round that are asked for again: clocks differ, and a change may be told late."""
BACK = 31 * 86400.0
"""Seconds back that are asked for at most, and at first."""


def ask_if_due(line: Line) -> None:
    """Ask which contacts are gone since the last round that had an answer, once it is time."""
    if not line.hooks.implements("contacts_gone") or not line.duties.holds(Duty.VERIFICATION):
        return
    rounds, now = line.journal.contact_hints.rounds(), line.clock.time()
    if not rounds.due:  # not all pipelines of an upgrade at once, and not while this one begins
        first = now + EVERY * line.random.random()
        line.journal.contact_hints.set_rounds(attrs.evolve(rounds, due=first))
        return
    is_due = not 0 < rounds.due - now < 2 * ABSENT  # farther away: the clock was set back
    if not is_due or not line.has_spare_requests():
        return
    # Before the call, so that a call that ends the process is not repeated at each start.
    rounds = attrs.evolve(rounds, due=now + _jittered(line, EVERY))
    line.journal.contact_hints.set_rounds(rounds)
    since = max(min(rounds.until, now) - OVERLAP, now - BACK)
    try:
        with leftover_requests(float(line.verify.share)):
            answer = line.hooks.contacts_gone(datetime.fromtimestamp(since, UTC))
    except (InvalidValue, PluginError) as error:
        _log.warning("pipeline %s: it cannot be asked which contacts are gone: %s", line.name, error)
        return
    if isinstance(answer, frozenset):
        named = [text for text in answer if isinstance(text, str)]
        marked = line.journal.contact_hints.mark(named, "named by the destination as gone", now)
        if marked:
            _log.info(
                "pipeline %s: the destination names %s as merged or erased; asked about before the next use",
                line.name, counted(marked, "stored contactId"),
            )  # fmt: skip
        line.journal.contact_hints.set_rounds(attrs.evolve(rounds, until=now, absent=0.0))
    elif isinstance(answer, NoHints):
        if not rounds.absent:
            _log.info(
                "pipeline %s: the destination does not tell which contacts are gone (%s); they are found by lookups",
                line.name, answer.reason,
            )  # fmt: skip
        due, absent = now + _jittered(line, ABSENT), rounds.absent or now
        line.journal.contact_hints.set_rounds(attrs.evolve(rounds, due=due, absent=absent))


def _jittered(line: Line, seconds: float) -> float:
    """A little more, so that an hour has one request at most."""
    return seconds * (1.0 + 0.1 * line.random.random())

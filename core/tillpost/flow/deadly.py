"""Deadly steps: a file or a contact with which the process ends again and again is set aside, and the others go on.

A receipt and a document are tried in a process of their own (trials.py). These steps only wait, for longer and longer,
so it costs little that an end of the process may have been the fault of none of them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from tillpost.errors import PluginError
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import MAX_CRASHES

_log = logging.getLogger("tillpost.flow")
_FIRST, _LONGEST = 3600.0, 86400.0
"""Seconds until what was set aside is tried again; they double with each further end."""

Step = Literal["transfer", "find_transferred", "reconcile_contact", "confirm_receipts", "observe"]


@contextmanager
def in_hand(line: Line, step: Step, name: str) -> Iterator[None]:
    """Inside the block the hook is called for this file, contact or event; an end of the process counts against that.

    Raises PluginError, and does not run the block, while it is set aside.
    """
    number, marks = _number(step, name), line.journal.crash_marks
    ends, last = marks.ends(number)
    if ends >= MAX_CRASHES:
        due = last + min(_LONGEST, _FIRST * 2.0 ** min(ends - MAX_CRASHES, 10))
        if last <= line.clock.time() < due:  # an end that is still to come is of before the clock was set back
            raise _set_aside(line, step, name, ends, due)
    try:
        with marks.holding(number):
            yield
    except Exception:
        marks.survived(number)
        raise
    if ends:
        marks.survived(number)
        line.set_aside.discard((step, name))


def _set_aside(line: Line, step: Step, name: str, ends: int, due: float) -> PluginError:
    later = "it is passed on no more"
    if step != "observe":
        later = f"it is set aside, and tried again at {datetime.fromtimestamp(due, UTC).isoformat(timespec='minutes')}"
    reason = f"the process ended {ends} times during {step} of {name}; {later}"
    if (step, name) not in line.set_aside:
        line.set_aside.add((step, name))
        _log.error("pipeline %s: %s", line.name, reason)
        line.journal.events.add(line.clock.time(), "crash", "set aside", hook=step, name=name, reason=reason)
    return PluginError(line.hooks.plugin_of(step), reason)


def _number(step: str, name: str) -> int:
    """Below -2**40, so none of the numbers of other steps."""
    digest = hashlib.sha256(f"{step} {name}".encode()).digest()
    return -(1 << 40) - int.from_bytes(digest[:7], "little")

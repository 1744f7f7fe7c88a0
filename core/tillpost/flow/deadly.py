"""Deadly steps: a file or a contact with which the process ends again and again is set aside, and the others go on.

One that raises again and again is told in the same way, and tried on.

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

from tillpost.errors import InvalidValue, PluginError, TillpostError
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import MAX_CRASHES

_log = logging.getLogger("tillpost.flow")
_FIRST, _LONGEST, _LONGEST_OF_SOURCE = 60.0, 86400.0, 3600.0
"""Seconds until what was set aside is tried again, which double with each further end, and their bounds.

The first are few, as three ends in a row may have been power cuts; without a source nothing is accepted.
"""
RAISED = 5
"""Calls in a row that raise until a person is told."""
_AGAIN = 600.0
"""Seconds between two notes of the same."""
_MOST = 1000
"""Contacts that are noted: with more it is the plugin that fails."""
_CONTACTS = ("reconcile_contact", "confirm_receipts")
"""Steps whose trouble stands nowhere else."""

Step = Literal["transfer", "find_transferred", "reconcile_contact", "confirm_receipts", "observe", "collect_documents"]


@contextmanager
def in_hand(line: Line, step: Step, name: str) -> Iterator[None]:
    """Inside the block the hook is called for this file, contact or event; an end of the process counts against that.

    Raises PluginError, and does not run the block, while it is set aside.
    """
    number, marks = _number(step, name), line.journal.crash_marks
    ends, last = marks.ends(number)
    if ends >= MAX_CRASHES:
        longest = _LONGEST_OF_SOURCE if step == "collect_documents" else _LONGEST
        due = last + min(longest, _FIRST * 2.0 ** min(ends - MAX_CRASHES, 20))
        if last <= line.clock.time() < due:  # an end that is still to come is of before the clock was set back
            raise _set_aside(line, step, name, ends, due)
    try:
        with marks.holding(number):
            yield
    except Exception as error:
        _came_through(line, step, name, ends)
        if step in _CONTACTS and isinstance(error, InvalidValue | PluginError):
            _note_raised(line, step, name, error)
        raise
    _came_through(line, step, name, ends)
    line.raised.pop((step, name), None)
    if (step, name) in line.noted:
        line.noted.discard((step, name))
        line.journal.steps_set_aside.remove(step, name)


@contextmanager
def outside(line: Line, step: Step, name: str) -> Iterator[None]:
    """Inside a block of `in_hand`: the flow is at work, and an end of the process is not the step's."""
    if line.journal.crash_marks.ends(number := _number(step, name))[0]:
        line.journal.crash_marks.survived(number)
    with line.journal.crash_marks.holding(0):
        yield


def _came_through(line: Line, step: Step, name: str, ends: int) -> None:
    if ends:
        line.journal.crash_marks.survived(_number(step, name))
        line.set_aside.discard((step, name))


def _note_raised(line: Line, step: Step, name: str, error: TillpostError) -> None:
    now = line.clock.time()
    count, last = line.raised.get((step, name), (0, float("-inf")))
    count += 1
    if count >= RAISED and now - last >= _AGAIN and ((step, name) in line.noted or len(line.noted) < _MOST):
        reason = f"{step} of {name} has raised {count} times in a row: {error}"
        line.journal.steps_set_aside.put(step, name, reason, count, now, None)
        line.noted.add((step, name))
        last = now
    if (step, name) in line.raised or len(line.raised) < _MOST:
        line.raised[step, name] = count, last


def _set_aside(line: Line, step: Step, name: str, ends: int, due: float) -> PluginError:
    later = "it is passed on no more"
    if step != "observe":
        later = f"it is set aside, and tried again at {datetime.fromtimestamp(due, UTC).isoformat(timespec='minutes')}"
    error = PluginError(line.hooks.plugin_of(step), f"the process ended {ends} times during {step} of {name}; {later}")
    if (step, name) not in line.set_aside:
        line.set_aside.add((step, name))
        _log.error("pipeline %s: %s", line.name, error)
        line.journal.steps_set_aside.put(step, name, str(error), ends, line.clock.time(), due)
        line.noted.add((step, name))
    return error


def _number(step: str, name: str) -> int:
    """Below -2**40, so none of the numbers of other steps."""
    digest = hashlib.sha256(f"{step} {name}".encode()).digest()
    return -(1 << 40) - int.from_bytes(digest[:7], "little")

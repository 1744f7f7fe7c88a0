"""Health: whether the process works (alive), and whether it can take and keep receipts now (ready).

A process that is not alive is restarted; one that is not ready is left in peace, and gets nothing new. That the far
side is away is neither: the line is made for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tillpost.clock import iso
from tillpost.errors import TillpostError, describe
from tillpost.flow.limits import SourcePolicy
from tillpost.flow.line import Line


def alive(lines: Sequence[Line], now: float) -> tuple[bool, dict[str, Any]]:
    """Whether every thread of every pipeline is there and gets on with its work; the reasons, for JSON.

    Asks no journal, so that it answers when a disk does not. now: seconds since 1970.
    """
    told = {line.name: _pulse(line) for line in lines}
    well = all(each["alive"] for each in told.values())
    return well, {"alive": well, "at": iso(now), "pipelines": told}


def ready(lines: Sequence[Line], now: float) -> tuple[bool, dict[str, Any]]:
    """Whether every pipeline is alive and works, and what is handed over now can be committed.

    Writes to each journal's disk: not to be asked more often than every second or so. now: seconds since 1970.
    """
    told = {line.name: _readiness(line) for line in lines}
    well = bool(told) and all(each["ready"] for each in told.values())
    return well, {"ready": well, "at": iso(now), "pipelines": told}


def _pulse(line: Line) -> dict[str, Any]:
    pulse = line.heartbeat
    fault, dead, stuck = pulse.fault, pulse.dead_threads(), pulse.stuck_threads()
    return {
        "alive": fault is None and not dead and not stuck,
        "fault": "" if fault is None else describe(fault),
        "ended": dead,
        "hanging": stuck,
    }


def _readiness(line: Line) -> dict[str, Any]:
    reason = _unready(line)
    return {"ready": not reason, "reason": reason, "far_side": line.breaker.destination.state}


def _unready(line: Line) -> str:
    """Why it is not ready; "" when it is."""
    if not _pulse(line)["alive"]:
        return "a thread has ended or hangs"
    if line.heartbeat.stopping:
        return "it stops"
    if not line.heartbeat.has_threads():
        return "it has not started yet"
    try:
        if trouble := line.journal.trouble():
            return f"nothing can be committed: {trouble}"
        if line.journal.narrow((line.source or SourcePolicy()).room):
            return "the disk is almost full: less than `room` is left"
    except (TillpostError, OSError) as error:
        return describe(error)
    return ""

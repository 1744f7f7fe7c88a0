"""Health: whether the process works (alive), and whether it can take and keep receipts now (ready).

A process that is not alive should be restarted; one that is not ready should be given nothing new. An outage of the
destination makes neither false.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tillpost.clock import iso
from tillpost.errors import TillpostError, describe
from tillpost.flow.limits import SourcePolicy
from tillpost.flow.line import Line
from tillpost.journal import SourceState


def alive(lines: Sequence[Line], now: float) -> tuple[bool, dict[str, Any]]:
    """Whether every thread of every pipeline exists and makes progress; the reasons, for JSON.

    Reads no journal, so it answers when the disk does not. now: seconds since 1970.
    """
    pipelines = {line.name: _liveness(line) for line in lines}
    is_alive = all(each["alive"] for each in pipelines.values())
    return is_alive, {"alive": is_alive, "at": iso(now), "pipelines": pipelines}


def ready(lines: Sequence[Line], now: float) -> tuple[bool, dict[str, Any]]:
    """Whether every pipeline is alive, and a receipt handed over now can be committed.

    Writes to each journal's disk: call it once a second at most. now: seconds since 1970.
    """
    pipelines = {line.name: _readiness(line) for line in lines}
    is_ready = bool(pipelines) and all(each["ready"] for each in pipelines.values())
    return is_ready, {"ready": is_ready, "at": iso(now), "pipelines": pipelines}


def _liveness(line: Line) -> dict[str, Any]:
    heartbeat = line.heartbeat
    fault, dead, stuck = heartbeat.fault, heartbeat.dead_threads(), heartbeat.stuck_threads()
    return {
        "alive": fault is None and not dead and not stuck,
        "fault": "" if fault is None else describe(fault),
        "ended": dead,
        "hanging": stuck,
    }


def _readiness(line: Line) -> dict[str, Any]:
    reason = _unready(line)
    return {"ready": not reason, "reason": reason, "destination": line.breaker.destination.state}


def _unready(line: Line) -> str:
    """Why it is not ready; "" when it is."""
    if not _liveness(line)["alive"]:
        return "a thread has ended or hangs"
    if line.heartbeat.stopping:
        return "the process is stopping"
    if not line.heartbeat.has_threads():
        return "the pipeline has not started yet"
    try:
        if problem := line.journal.write_problem():
            return f"nothing can be committed: {problem}"
        if line.journal.room()[0] < (line.source or SourcePolicy()).room:
            return "the disk is almost full: less than `room` is free"
        for source in line.journal.sources.all():
            if source.state != SourceState.WORKING:
                return f"source {source.name}: {source.reason}"
    except (TillpostError, OSError) as error:
        return describe(error)
    return ""

"""Observers: committed events are passed on to the plugins that observe."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tillpost.errors import PluginError
from tillpost.flow.deadly import in_hand
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line

_log = logging.getLogger("tillpost.flow")


def notify_observers(line: Line) -> int:
    """Pass committed events on to the observers; how many there were.

    After a crash the last ones are passed on again. An observer that raises is named in the log, and gets the next.
    """
    if not line.hooks.implements("observe") or not line.duties.holds(Duty.OBSERVERS):
        return 0
    events, lost = line.journal.events.unobserved(500), Counter[str]()
    reasons: dict[str, str] = {}
    for event in events:
        for error in _observe(line, event):
            _log.warning("pipeline %s: observer: %s; it gets the next event", line.name, error)
            lost[error.plugin] += 1
            reasons[error.plugin] = str(error)
    for plugin, count in lost.items():
        line.journal.steps_set_aside.add_lost(plugin, reasons[plugin], count, line.clock.time())
    if events:
        line.journal.events.mark_observed(events[-1]["seq"])
    return len(events)


def _observe(line: Line, event: Mapping[str, Any]) -> list[PluginError]:
    try:
        with in_hand(line, "observe", f"event {event['seq']}"):
            return line.hooks.observe(event)
    except PluginError as error:
        return [error]

"""The look for troubles, and the notices of them: beside the line, which waits for none of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from tillpost.alerts.channels import NotTaken, notice, send
from tillpost.alerts.rules import Asked, free, troubles
from tillpost.clock import Clock, SystemClock
from tillpost.compose.alerting import RULES, Alerting
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import TillpostError
from tillpost.flow.leases import Duties, Duty, ProcessDuties
from tillpost.flow.line import Line
from tillpost.journal import Journal, Notice
from tillpost.reports.gaps import numbered

SELDOM = 300.0
"""Seconds between two looks for what reads the receipts of a week (_SELDOM)."""
_SELDOM = ("gap", "day_total")
REMEMBERED = 90 * 86400.0
"""Seconds after which an alert that is over leaves."""
_WAITS = (60.0, 300.0, 900.0, 3600.0)
"""Seconds to wait after a channel refused the first, second … time."""
ATTEMPTS = 100
"""Refusals after which a notice is given up: four days."""
_log = logging.getLogger("tillpost.sight")


@attrs.define
class Watch:
    """The alerts of one pipeline.

    sequence: whether its adapter promises numbers without a gap. sending, room: replaced by tests of time and disk.
    """

    pipeline: str
    journal: Journal
    settings: Alerting
    clock: Clock
    sequence: bool
    keep: timedelta | None = None
    duties: Duties = attrs.field(factory=ProcessDuties)
    room: Callable[[Path], int] = free
    sending: Callable[[str, Alerting, dict[str, Any]], None] = send
    _seldom_next: float = float("-inf")

    def look(self) -> None:
        """Look for troubles once: raise what is new, end what is over, and hand over the notices that are due."""
        if not self.duties.holds(Duty.ALERTS):
            return
        now = self.clock.time()
        standing = {alert.key: alert for alert in self.journal.alerts.standing()}
        rules = [rule for rule in RULES if rule not in self.settings.off]
        kept: set[str] = set()
        if self.clock.monotonic() < self._seldom_next:
            kept = {key for key in standing if key.split(" ")[0] in _SELDOM and key.split(" ")[0] in rules}
            rules = [rule for rule in rules if rule not in _SELDOM]
        else:
            self._seldom_next = self.clock.monotonic() + SELDOM
        asked = Asked(
            pipeline=self.pipeline, journal=self.journal, limits=self.settings, now=now, standing=standing,
            sequence=self.sequence, keep=self.keep, room=self.room,
        )  # fmt: skip
        found = troubles(asked, rules)
        raised = [
            (each.key, each.what, each.means, each.next_step) for key, each in found.items() if key not in standing
        ]
        anew = [
            (alert.seq, found[key].what)
            for key, alert in standing.items()
            if key in found and found[key].what != alert.what
        ]
        over = [alert.seq for key, alert in standing.items() if key not in found and key not in kept]
        if raised or anew or over:
            self.journal.alerts.change(raised, anew, over, self.settings.channels, now)
            for _, what, _, next_step in raised:
                _log.warning("alert: %s. %s", what, next_step)
        if over:
            self.journal.alerts.forget(now - REMEMBERED)
        self._tell(now)

    def _tell(self, now: float) -> None:
        for each in self.journal.alerts.due(now):
            if each.channel not in self.settings.channels:
                self.journal.alerts.sent(each)  # the channel is no more
                continue
            try:
                self.sending(each.channel, self.settings, notice(self.pipeline, each.event, each.alert))
            except NotTaken as error:
                self._refused(each, str(error), now)
            else:
                self.journal.alerts.sent(each)

    def _refused(self, each: Notice, reason: str, now: float) -> None:
        if each.attempts + 1 >= ATTEMPTS:
            _log.error("alert %s: given up to tell by %s: %s", each.alert.key, each.channel, reason)
            self.journal.alerts.sent(each)
            return
        if not each.attempts:
            _log.warning("alert %s: cannot be told by %s, tried again: %s", each.alert.key, each.channel, reason)
        self.journal.alerts.refused(each, reason, now + _WAITS[min(each.attempts, len(_WAITS) - 1)])


class Watching:
    """A thread that looks every so often; whatever becomes of a look, the next one comes and the line goes on."""

    def __init__(self, settings: Alerting, pipelines: Callable[[], Iterable[tuple[PipelineConfig, Line]]]) -> None:
        """pipelines: asked at each look, for a reload may have changed them."""
        self._settings = settings
        self._pipelines = pipelines
        self._watches: dict[str, tuple[Line, Watch]] = {}
        self._stop = threading.Event()
        self._failed: Mapping[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """End; a channel that hangs is left behind after so many seconds (its notice is sent again)."""
        self._stop.set()
        self._thread.join(grace)

    def _run(self) -> None:
        while True:
            for config, line in self._pipelines():
                if self._stop.is_set():
                    return
                self._look(config, line)
            if SystemClock().wait(self._settings.every.total_seconds(), self._stop):
                return

    def _look(self, config: PipelineConfig, line: Line) -> None:
        try:
            known = self._watches.get(line.name)
            if known is None or known[0] is not line:
                watch = Watch(
                    line.name, line.journal, self._settings, line.clock, numbered(config), line.keep, line.duties
                )
                known = self._watches[line.name] = line, watch
            known[1].look()
        except Exception as error:  # noqa: BLE001 - who looks must not stop looking, nor stop the line
            if all(line is not each for _, each in self._pipelines()):
                return  # it was replaced or removed meanwhile, and its journal closed
            said = str(error) if isinstance(error, TillpostError) else type(error).__name__
            if self._failed.get(line.name) != said:
                _log.error("pipeline %s: cannot look for troubles: %s", line.name, said)
            self._failed = {**self._failed, line.name: said}
        else:
            self._failed = {name: said for name, said in self._failed.items() if name != line.name}

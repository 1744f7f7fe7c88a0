"""The evaluation of the rules, and the notices of what they find: in a thread that no line waits for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import attrs

from tillpost.alerts.channels import ChannelError, notice, send
from tillpost.alerts.problem import Context
from tillpost.alerts.rules import SELDOM, evaluate
from tillpost.clock import Clock, SystemClock
from tillpost.compose.alert_settings import RULES, AlertSettings
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import describe
from tillpost.flow.leases import Duties, Duty, ProcessDuties
from tillpost.flow.line import Line
from tillpost.journal import Journal, Notice
from tillpost.reports.gaps import numbered

SELDOM_EVERY = 300.0
"""Seconds between two evaluations of the rules that read much, at least."""
_SHARE = 100.0
"""Those rules wait so many times as long as they took: they use a hundredth of a processor at most."""
MARK_EVERY = 60.0
"""Seconds between two marks in the journal that somebody watches."""
REMEMBERED = 90 * 86400.0
"""Seconds after which an alert that is over is deleted."""
_WAITS = (60.0, 300.0, 900.0, 3600.0)
"""Seconds to wait after a channel refused the first, second … time."""
ATTEMPTS = 100
"""Refusals after which a notice is given up: four days."""
_log = logging.getLogger("tillpost.sight")


@attrs.define
class AlertWatch:
    """The alerts of one pipeline.

    sequence: whether its adapter promises numbers without a gap. sending: replaced by tests.
    """

    pipeline: str
    journal: Journal
    settings: AlertSettings
    clock: Clock
    sequence: bool
    keep: timedelta | None = None
    line: Line | None = None
    duties: Duties = attrs.field(factory=ProcessDuties)
    sending: Callable[[str, AlertSettings, dict[str, Any]], None] = send
    _seldom_next: float = float("-inf")
    _mark_next: float = float("-inf")

    def check(self) -> None:
        """Evaluate the rules once: raise what is new, end what is over, and send the notices that are due."""
        if not self.duties.holds(Duty.ALERTS):
            return
        now, began = self.clock.time(), self.clock.monotonic()
        standing = {alert.key: alert for alert in self.journal.alerts.standing()}
        rules = [rule for rule in RULES if rule not in self.settings.off]
        kept: set[str] = set()
        if not (seldom := began >= self._seldom_next):
            kept = {key for key, alert in standing.items() if alert.rule in SELDOM and alert.rule in rules}
            rules = [rule for rule in rules if rule not in SELDOM]
        context = Context(
            pipeline=self.pipeline, journal=self.journal, limits=self.settings, now=now, standing=standing,
            sequence=self.sequence, keep=self.keep, line=self.line,
        )  # fmt: skip
        found, failed = evaluate(context, rules)
        kept |= {key for key, alert in standing.items() if alert.rule in failed}
        if seldom:
            end = self.clock.monotonic()
            self._seldom_next = end + max(SELDOM_EVERY, _SHARE * (end - began))
        raised = [
            (key, problem.what, problem.means, problem.next_step)
            for key, problem in found.items()
            if key not in standing
        ]
        reworded = [
            (alert.seq, found[key].what)
            for key, alert in standing.items()
            if key in found and found[key].what != alert.what
        ]
        over = [alert.seq for key, alert in standing.items() if key not in found and key not in kept]
        if raised or reworded or over:
            new = self.journal.alerts.change(raised, reworded, over, self.settings.channels, now)
            for key in new:
                _log.warning("alert: %s. %s", found[key].what, found[key].next_step)
        if over:
            self.journal.alerts.forget(now - REMEMBERED)
        if began >= self._mark_next:
            self._mark_next = began + MARK_EVERY
            self.journal.alerts.mark_watched(now)
        self._send_notices(now)

    def _send_notices(self, now: float) -> None:
        for due in self.journal.alerts.due(now):
            if due.channel not in self.settings.channels:
                self.journal.alerts.sent(due)  # the channel was removed
                continue
            try:
                self.sending(due.channel, self.settings, notice(self.pipeline, due.event, due.alert))
            except ChannelError as error:
                self._refused(due, str(error), now)
            except BaseException as error:  # noqa: BLE001 - one channel must not keep the notices of the others back
                self._refused(due, describe(error), now)
            else:
                self.journal.alerts.sent(due)

    def _refused(self, refused: Notice, reason: str, now: float) -> None:
        if refused.attempts + 1 >= ATTEMPTS:
            _log.error("alert %s: notice by %s given up: %s", refused.alert.key, refused.channel, reason)
            self.journal.alerts.sent(refused)
            return
        if not refused.attempts:
            _log.warning(
                "alert %s: notice by %s failed, tried again later: %s", refused.alert.key, refused.channel, reason
            )
        self.journal.alerts.refused(refused, reason, now + _WAITS[min(refused.attempts, len(_WAITS) - 1)])


class AlertThread:
    """Evaluates the rules of all pipelines every so often. A failure is logged and stops nothing."""

    def __init__(self, settings: AlertSettings, pipelines: Callable[[], Iterable[tuple[PipelineConfig, Line]]]) -> None:
        """pipelines: called in each round, since a reload may have changed them."""
        self._settings = settings
        self._pipelines = pipelines
        self._watches: dict[str, tuple[Line, AlertWatch]] = {}
        self._stop = threading.Event()
        self._failed: Mapping[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """End; a channel that hangs is given so many seconds (its notice is sent again later)."""
        self._stop.set()
        self._thread.join(grace)

    def _run(self) -> None:
        while True:
            try:
                for config, line in self._pipelines():
                    if self._stop.is_set():
                        return
                    self._check(config, line)
            except BaseException as error:  # noqa: BLE001 - the watch itself must not end without a word
                _log.error("alert rules: this round failed and the next one follows: %s", describe(error))
            if SystemClock().wait(self._settings.every.total_seconds(), self._stop):
                return

    def _check(self, config: PipelineConfig, line: Line) -> None:
        try:
            known = self._watches.get(line.name)
            if known is None or known[0] is not line:
                watch = AlertWatch(
                    line.name, line.journal, self._settings, line.clock, numbered(config), line.keep, line, line.duties
                )
                known = self._watches[line.name] = line, watch
            known[1].check()
        except BaseException as error:  # noqa: BLE001 - a failure must end neither the thread nor the line
            if all(line is not each for _, each in self._pipelines()):
                return  # it was replaced or removed meanwhile, and its journal closed
            reason = describe(error)
            if self._failed.get(line.name) != reason:
                _log.error("pipeline %s: alert rules cannot be evaluated: %s", line.name, reason)
            self._failed = {**self._failed, line.name: reason}
        else:
            self._failed = {name: reason for name, reason in self._failed.items() if name != line.name}

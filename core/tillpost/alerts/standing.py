"""What stands at this moment: the rules as the journal answers them now, beside the alerts that `tillpost run` raised.

`tillpost run` evaluates the rules every half minute. A person who asks gets the answer of this moment, and is told when
no process watches.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from tillpost.alerts.problem import Context
from tillpost.alerts.rules import IN_PROCESS, SELDOM, evaluate
from tillpost.clock import iso
from tillpost.compose.alert_settings import RULES, AlertSettings
from tillpost.compose.config import Config
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import TillpostError
from tillpost.journal import Alert, Journal
from tillpost.journal.sqlite.locks import running_process
from tillpost.reports.gaps import numbered

if TYPE_CHECKING:
    from tillpost.flow.line import Line

_UNWATCHED = 600.0
"""Seconds without an evaluation of the rules after which a process at work counts as hanging."""


@attrs.frozen(kw_only=True)
class Watched:
    """A pipeline and how it is watched.

    running: a `tillpost run` is at work on it. line: where that is this process. sequence, keep: see Context.
    """

    name: str
    limits: AlertSettings = attrs.field(factory=AlertSettings)
    running: bool = True
    sequence: bool = False
    keep: timedelta | None = None
    line: Line | None = None


def standing_alerts(journal: Journal, watched: Watched, now: float) -> list[Alert]:
    """The alerts that stand now, the oldest first; `not_running` is one when no process is at work.

    Rules that only the running process can answer, or that take long, are as it answered them last.
    """
    stored = {alert.key: alert for alert in journal.alerts.standing()}
    rules = {rule for rule in RULES if rule not in watched.limits.off}
    left = set() if watched.line is not None else rules & IN_PROCESS
    if watched.running:
        left |= rules & SELDOM
    context = Context(
        pipeline=watched.name, journal=journal, limits=watched.limits, now=now, standing=stored,
        sequence=watched.sequence, keep=watched.keep, line=watched.line,
    )  # fmt: skip
    found, failed = evaluate(context, [rule for rule in RULES if rule in rules - left])
    alerts = [
        Alert(0, key, each.what, each.means, each.next_step, stored[key].raised_at if key in stored else now, None)
        for key, each in found.items()
    ]
    last = journal.alerts.watched_at()
    if not watched.running:
        alerts.append(_not_running(watched, last, now))
    else:
        alerts += [alert for alert in stored.values() if alert.rule in left | failed]
        if last is not None and abs(now - last) > _UNWATCHED:
            alerts.append(_not_watched(watched, last))
    return sorted(alerts, key=lambda alert: alert.raised_at)


def _not_watched(watched: Watched, last: float) -> Alert:
    return Alert(
        0,
        "not_watched",
        f"{watched.name}: `tillpost run` is at work and has not evaluated the alert rules since {iso(last)}",
        "It hangs, or its journal cannot be written. No alert is raised or sent.",
        "Restart `tillpost run`; its log says why.",
        last,
        None,
    )


def _not_running(watched: Watched, last: float | None, now: float) -> Alert:
    since = "and none ever was" if last is None else f"and nobody watches since {iso(last)}"
    return Alert(
        0,
        "not_running",
        f"{watched.name}: no `tillpost run` is at work, {since}",
        "Nothing is accepted, nothing is sent, and no alert is sent. What the journal has is kept.",
        "Start `tillpost run`." if last is None else "Start `tillpost run`; its log says why it has ended.",
        now if last is None else last,
        None,
    )


def watched(config: Config, pipeline: PipelineConfig) -> Watched:
    """The pipeline as a command finds it, which knows its journal alone."""
    running = running_process(pipeline.state) is not None
    sequence = False
    if not running:
        with suppress(TillpostError):  # a plugin that is missing keeps no rule from being evaluated
            sequence = numbered(pipeline)
    return Watched(name=pipeline.name, limits=config.alerts, running=running, sequence=sequence, keep=pipeline.keep)

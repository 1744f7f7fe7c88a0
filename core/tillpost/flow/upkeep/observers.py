"""Observers: committed events are passed on to the plugins that observe, in order.

One that cannot take an event now keeps its place behind the others, which go on; it is asked again after growing waits.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from tillpost.errors import PluginError
from tillpost.flow.deadly import in_hand
from tillpost.flow.intake.source_health import SourceFailure
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import growing_wait
from tillpost.journal import ObserverBehind, SourceState
from tillpost.model import Misconfigured
from tillpost.terminal import counted

_log = logging.getLogger("tillpost.flow")
_EVENTS = 500
"""Events of one round."""
_WITHIN = 1.0
"""Seconds after which a round ends, so that what was passed on is marked, and a stop is seen."""
_FIRST_WAIT = 1.0
"""Seconds until an observer that cannot take an event is asked again; they grow to a minute."""

_CATCHES_UP = "it takes events again and catches up"


def forget_observers(line: Line) -> None:
    """At the start: an observer the pipeline does not name any more has no place; what it has not got is a loss."""
    names = line.hooks.observers()
    for behind in line.journal.observers_behind.all():
        if behind.name not in names:
            waiting = counted(line.journal.observers_behind.count_waiting(behind), "event")
            what = f"observer {behind.name} is not in the configuration any more; it has not got {waiting}"
            _log.warning("pipeline %s: %s", line.name, what)
            if line.journal.observers_behind.count_waiting(behind):
                step = "`tillpost receipt` shows the events of a receipt; then `tillpost journal losses --settle`"
                line.journal.losses.record(line.clock.time(), f"{what}: {behind.reason}", step)
            line.journal.observers_behind.remove(behind.name)


def notify_observers(line: Line) -> int:
    """Pass committed events on to the observers; how many there were.

    After a crash the last ones are passed on again. An observer that raises is named in the log, and gets the next.
    """
    names = line.hooks.observers()
    if not names or not line.duties.holds(Duty.OBSERVERS):
        return 0
    behind = {each.name: each for each in line.journal.observers_behind.all()}
    count = _pass_on(line, {name: number for number, name in enumerate(names) if name not in behind})
    for number, name in enumerate(names):
        if name in behind and line.observers_due.get(name, float("-inf")) <= line.clock.monotonic():
            count += _catch_up(line, number, behind[name])
    return count


@attrs.define
class _Round:
    """What came of a round: the events that observers lost, and until when it lasts."""

    line: Line
    lost: Counter[str] = attrs.field(factory=Counter)
    reasons: dict[str, str] = attrs.field(factory=dict)
    end: float = attrs.field(default=attrs.Factory(lambda r: r.line.clock.monotonic() + _WITHIN, takes_self=True))

    def is_over(self) -> bool:
        """Whether the next event waits for the next round."""
        return self.line.heartbeat.stopping or self.line.clock.monotonic() >= self.end

    def observe(self, number: int, name: str, event: Mapping[str, Any]) -> SourceFailure | None:
        """Pass one event on; why it cannot be taken now. One that raises has lost it."""
        try:
            with in_hand(self.line, "observe", f"event {event['seq']}"):
                return self.line.hooks.observe(number, event)
        except PluginError as error:
            _log.warning("pipeline %s: observer: %s; it gets the next event", self.line.name, error)
            self.lost[name] += 1
            self.reasons[name] = str(error)
            return None

    def record_lost(self) -> None:
        """Record what was lost."""
        for name, count in self.lost.items():
            now = self.line.clock.time()
            self.line.journal.steps_set_aside.add_lost(name, self.reasons[name], count, now)


def _pass_on(line: Line, in_step: dict[str, int]) -> int:
    """The next events, to the observers that have taken all before them. in_step: name → number."""
    events = line.journal.events.unobserved(_EVENTS)
    if not events:
        return 0
    turn, fallen_behind, last, count = _Round(line), [], events[-1]["seq"], 0
    for event in events:
        if not in_step:
            break  # each keeps a place of its own
        if turn.is_over():
            last = event["seq"] - 1
            break
        for name, number in list(in_step.items()):
            if (failure := turn.observe(number, name, event)) is not None:
                fallen_behind.append(_failed(line, _new(name, event["seq"] - 1), failure))
                del in_step[name]
        count += 1
    turn.record_lost()
    line.journal.observers_behind.move(last, fallen_behind)
    return count


def _catch_up(line: Line, number: int, behind: ObserverBehind) -> int:
    """The events that an observer is behind; it is in step again once there are none."""
    events = line.journal.events.observed_after(behind.observed, _EVENTS)
    turn, failure, place = _Round(line), None, behind.observed
    for event in events:
        if turn.is_over() or (failure := turn.observe(number, behind.name, event)) is not None:
            break
        place = event["seq"]
    turn.record_lost()
    count = len([event for event in events if event["seq"] <= place])
    moved = attrs.evolve(behind, observed=place, failures=behind.failures if place == behind.observed else 0)
    if failure is not None:
        line.journal.observers_behind.put(_failed(line, moved, failure))
    elif count < len(events) or len(events) == _EVENTS:
        if place != behind.observed:
            line.journal.observers_behind.put(
                attrs.evolve(moved, state=SourceState.WORKING, reason=_CATCHES_UP, due=None)
            )
    else:
        line.journal.observers_behind.remove(behind.name)
        line.observers_due.pop(behind.name, None)
        _log.info("pipeline %s: observer %s has caught up", line.name, behind.name)
    return count


def _new(name: str, observed: int) -> ObserverBehind:
    return ObserverBehind(name, observed, SourceState.WORKING, "", 0.0, None, 0)


def _failed(line: Line, behind: ObserverBehind, failure: SourceFailure) -> ObserverBehind:
    """The observer after it could not take the event behind its place."""
    failures, now = behind.failures + 1, line.clock.time()
    state = SourceState.MISCONFIGURED if isinstance(failure, Misconfigured) else SourceState.FAILING
    wait = growing_wait(failures, _FIRST_WAIT, getattr(failure, "retry_after", None), line.random)
    line.observers_due[behind.name] = line.clock.monotonic() + wait
    if (state, failure.reason) != (behind.state, behind.reason):
        _log.warning(
            "pipeline %s: observer %s cannot take event %d: %s; the events from there on wait for it", line.name,
            behind.name, behind.observed + 1, failure.reason,
        )  # fmt: skip
    since = behind.since or now
    return attrs.evolve(behind, state=state, reason=failure.reason, since=since, due=now + wait, failures=failures)

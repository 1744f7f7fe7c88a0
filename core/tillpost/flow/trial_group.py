"""TrialGroup: what threads would try apart at the same time is tried in one process, by one of them for all."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import attrs

from tillpost.flow.heartbeat import record_progress
from tillpost.flow.trials import Trials, Verdict, try_all

_GATHER = 0.05
"""Seconds in which others may come; a process takes ten times as long to start."""
_MOST = 100
"""Jobs of one group."""


@attrs.define(eq=False)
class _Waiting:
    job: Mapping[str, Any]
    verdict: Verdict | None = None
    left: bool = False
    """The thread that led has failed: nobody tries this job any more."""


class TrialGroup:
    """Joins the threads of one pipeline."""

    def __init__(self, trials: Trials | None) -> None:
        self._trials = trials
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._has_leader = False

    def try_apart(self, job: Mapping[str, Any]) -> Verdict:
        """As `try_apart` of trials.py, together with the jobs of the other threads."""
        if self._trials is None:
            return Verdict()
        own = _Waiting(job)
        with self._changed:
            self._waiting.append(own)
            self._changed.notify_all()
            while self._has_leader and own.verdict is None and not own.left:
                self._changed.wait(1.0)
                record_progress()
            if own.verdict is not None or own.left:
                return own.verdict or Verdict()
            self._has_leader = True
            self._changed.wait_for(lambda: len(self._waiting) >= _MOST, _GATHER)
            group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        verdicts: list[Verdict] = []
        try:
            verdicts = try_all(self._trials, [each.job for each in group])
        finally:
            with self._changed:
                for number, each in enumerate(group):
                    each.verdict, each.left = (verdicts[number], False) if verdicts else (None, True)
                self._has_leader = False
                self._changed.notify_all()
        return own.verdict or Verdict()

"""How a changed configuration file takes the place of the one the pipelines run with, and what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from tillpost.clock import SystemClock
from tillpost.compose.change import compare
from tillpost.compose.config import Config
from tillpost.compose.stranded import (
    find_stranded,
    left_in_sources,
    names_in,
    not_asked_for,
    not_observed,
    note_pipelines,
)
from tillpost.daemon.running import Composed, RunningPipelines
from tillpost.errors import ConfigurationError, Finding, JournalError
from tillpost.terminal import plain

_WAIT = 0.1
"""Seconds to wait for one worker before the next is looked at."""


@attrs.define
class Reloaded:
    """The result of a reload. Each pipeline that runs or has run stands in one of the first five.

    late: told to end, and not ended yet; its successor starts when it has. refused: (pipeline, finding). stranded: what
    waits in state folders of pipelines that are no longer in the file.
    """

    rebuilt: list[str] = attrs.field(factory=list)
    started: list[str] = attrs.field(factory=list)
    stopped: list[str] = attrs.field(factory=list)
    late: list[str] = attrs.field(factory=list)
    left_running: list[str] = attrs.field(factory=list)
    refused: list[tuple[str, Finding]] = attrs.field(factory=list)
    stranded: list[Finding] = attrs.field(factory=list)

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return attrs.asdict(self) | {
            "refused": [{"pipeline": name, **finding.as_json()} for name, finding in self.refused],
            "stranded": [finding.as_json() for finding in self.stranded],
        }


def reload(
    running: RunningPipelines,
    config: Config | None,
    findings: Sequence[Finding],
    names: Sequence[str],
    grace: float,
    stop: threading.Event,
) -> Reloaded:
    """Apply what `examine` read of the file. What is refused changes nothing; the rest replaces what ran.

    names: the only pipelines to run, none for all. grace: seconds for calls in flight; `stop` ends the wait for them.
    """
    plan = compare({name: unit.config for name, unit in running.units.items()}, config, findings, names)
    done = Reloaded(left_running=list(plan.unchanged), refused=list(plan.refused))
    unheard = not_observed(config) if config is not None else []  # before a worker lets go of them
    composed: dict[str, Composed] = {}
    for pipeline in (*plan.changed, *plan.added):
        assert config is not None
        try:
            composed[pipeline.name] = running.compose(config, pipeline)
        except ConfigurationError as error:
            done.refused += [(pipeline.name, finding) for finding in error.findings]
            if pipeline.name in running.units:
                done.left_running.append(pipeline.name)
        else:
            running.wanted[pipeline.name] = config, pipeline
    removed = [running.units[name].worker for name in plan.removed]
    replaced = [running.units[name].worker for name in composed if name in running.units]
    for worker in (*removed, *replaced):
        worker.stop()
    _wait([*(worker.join for worker in removed), *(worker.hand_over for worker in replaced)], grace, stop)
    for name in plan.removed:
        (done.stopped if running.remove(name) else done.late).append(name)
    for name, each in composed.items():
        if name in running.units:
            (done.rebuilt if running.replace(each) else done.late).append(name)
            continue
        try:
            running.add(each)
        except JournalError as error:
            each.rates.release()
            done.refused.append((name, Finding(message=str(error), key=f"pipelines.{name}")))
        else:
            done.started.append(name)
    running.wanted = {name: wanted for name, wanted in running.wanted.items() if name in running.units}
    running.release_ended()
    if config is not None:
        note_pipelines(config, names_in(config))
        done.stranded += [each.finding() for each in find_stranded(config, names_in(config))]
        done.stranded += left_in_sources(config) + not_asked_for(config) + unheard
    return done


def _wait(ended: list[Callable[[float], bool]], grace: float, stop: threading.Event) -> None:
    """Until every one of them returns true, at most the grace period, or until `stop` is set."""
    clock = SystemClock()
    end = clock.monotonic() + grace
    while not all(each(_WAIT) for each in ended) and clock.monotonic() < end and not stop.is_set():
        pass


def sentences(reloaded: dict[str, Any]) -> list[str]:
    """The result of a reload, given as JSON, for a person."""
    words = {
        "rebuilt": "rebuilt", "started": "started", "stopped": "stopped", "left_running": "left running",
        "late": "is ending: calls in flight have not ended within the grace period",
    }  # fmt: skip
    lines = [plain(f"{name}: {word}") for key, word in words.items() for name in reloaded[key]]
    lines += [plain(f"refused: {Finding.of_json(refused)}") for refused in reloaded["refused"]]
    lines += [plain(str(Finding.of_json(finding))) for finding in reloaded.get("stranded", ())]
    return lines

"""What `tillpost check` tries of the world outside: everything a pipeline will need, before it needs it.

Nothing is sent to the destination or to a person, and what is written is removed at once. A finding of the level
`trouble` is not the configuration's fault: `run` starts all the same, and waits.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import SystemRandom

import attrs

from tillpost.alerts.channels import ChannelError, try_channel
from tillpost.clock import Clock, SystemClock, iso
from tillpost.compose.config import Config
from tillpost.compose.pipeline import Pipeline, compose, finding_at
from tillpost.compose.plugins import REPORT_PLUGIN
from tillpost.errors import Finding, PluginError, TillpostError, describe, plugin_trace
from tillpost.flow.rate_limit.budget import Budgets
from tillpost.journal import Journal
from tillpost.kit.files import unwritable
from tillpost.model import Delivered, Misconfigured, Outcome
from tillpost.terminal import counted

TRIALS = ("destination", "file server", "source", "folders", "disk", "clock", "alert channels")
"""What is tried, as the command names it."""
_BUILT = 1_767_225_600.0
"""1 January 2026: no clock that is right shows an earlier time."""
_SETTING = re.compile(r"\b(?:source|transport|transfer)\.([a-z_]+)")


@attrs.define
class Trial:
    """What was found, and what could not be tried, with the reason."""

    findings: list[Finding] = attrs.field(factory=list)
    not_tried: list[str] = attrs.field(factory=list)


def attempt(config: Config, clock: Clock | None = None) -> Trial:
    """Try all of TRIALS for every pipeline of the file."""
    clock = clock or SystemClock()
    trial = Trial()
    budgets = Budgets(config.state if config.state.is_dir() else None)  # makes no folder
    with closing(budgets):
        for pipeline in config.pipelines:
            composed = compose(config, pipeline, clock=clock, random=SystemRandom(), budget=budgets)
            trial.findings += _tenant(config, composed)
            for outcome in (_destination, _file_server, _source):
                trial.findings += outcome(config, composed, trial)
            trial.findings += _folders(config, composed)
            trial.findings += _disk(config, composed)
    trial.findings += _clock(config, clock)
    trial.findings += _channels(config)
    return trial


def _destination(config: Config, composed: Pipeline, trial: Trial) -> Iterable[Finding]:
    return _judge(
        config, composed, "transport", composed.hooks.probe,
        "the destination cannot be used",
        "Receipts are accepted and wait.",
        "Check the address, the key and the network, or use --offline.",
    )  # fmt: skip


def _tenant(config: Config, composed: Pipeline) -> Iterator[Finding]:
    """Whether the stored contactIds are those of another address than the one that is named; makes no request."""
    state = composed.config.state
    own = ("pipelines", composed.config.name, "transport")
    try:
        named = composed.hooks.identity()
    except PluginError as error:
        fault = f"which tenant the settings name cannot be told: {error}."
        effect = "The pipeline does not notice when it is another tenant."
        yield attrs.evolve(
            finding_at(config, own, fault, REPORT_PLUGIN, level="trouble", effect=effect),
            trace=plugin_trace(error.__cause__),
        )
        return
    try:
        if named is None or not (state / "journal.db").is_file():
            return
        with closing(Journal.read_only(state)) as journal:
            known, ids = journal.tenants.current(), journal.contacts.counts()["known"]
    except (TillpostError, OSError):
        return  # `run` and `tillpost journal verify` say what is wrong with it
    if known is None or known.tenant.address in ("", named.address):
        return
    yield finding_at(
        config, (*own, "url") if (*own, "url") in config.lines.by_path else own,
        f"it is {named.address}, and the journal belongs to {known.tenant.address}, with {counted(ids, 'contactId')}.",
        "If that is not meant, put the former address back before `tillpost run` or `reload`; else go on.",
        level="trouble",
        effect="Nothing is sent until a few contact lookups have shown whether it is the same tenant. If it is another,"
        " the contactIds are not used but looked up again, fallback files written for the former one are withdrawn, and"
        " receipts that were not delivered go to the new one.",
    )  # fmt: skip


def _file_server(config: Config, composed: Pipeline, trial: Trial) -> Iterable[Finding]:
    if not composed.config.has("transfer"):
        return []
    if not composed.hooks.implements("probe_transfer"):
        trial.not_tried.append(f"the file server of {composed.config.name} (its plugin has no probe_transfer)")
        return []
    return _judge(
        config, composed, "transfer", lambda: composed.hooks.probe_transfer(trial=True),
        "the file server cannot be used",
        "In an outage no fallback file would go up; receipts would wait in the files.",
        "Fix what it names, or ask the server's administrator; then run `tillpost check` again.",
    )  # fmt: skip


def _source(config: Config, composed: Pipeline, trial: Trial) -> Iterable[Finding]:
    if not composed.config.has("source"):
        return []
    if not composed.hooks.implements("probe_source"):
        trial.not_tried.append(f"the source of {composed.config.name} (its plugin has no probe_source)")
        return []
    return _judge(
        config, composed, "source", composed.hooks.probe_source,
        "the source cannot be used",
        "Nothing is accepted from it until it can; what it has stays where it is.",
        "Fix what it names, then run `tillpost check` again.",
    )  # fmt: skip


def _judge(
    config: Config,
    composed: Pipeline,
    slot: str,
    ask: Callable[[], Outcome | None],
    what: str,
    effect: str,
    next_step: str,
) -> Iterator[Finding]:
    trace: tuple[str, ...] = ()
    try:
        outcome = ask()
    except (TillpostError, OSError) as error:
        outcome, reason, trace = None, describe(error), plugin_trace(error.__cause__)
    else:
        if outcome is None or isinstance(outcome, Delivered):
            return
        reason = outcome.reason
    named = _SETTING.search(reason)
    own = ("pipelines", composed.config.name, slot)
    key = (*own, named[1]) if named is not None and (*own, named[1]) in config.lines.by_path else own
    level = "error" if isinstance(outcome, Misconfigured) else "trouble"
    found = finding_at(config, key, f"{what}: {reason}.", next_step, level=level, effect=effect)
    yield attrs.evolve(found, trace=trace)


def _folders(config: Config, composed: Pipeline) -> Iterator[Finding]:
    """Whether files can be written into the folders that there are; `run` makes the others."""
    state = composed.config.state
    for folder in (state, state / "fallback"):
        if folder.is_dir() and (why := unwritable(folder)):
            yield finding_at(
                config, _state_key(config, composed), f"{folder} cannot be written: {why}.",
                "Give it to the user that runs Tillpost (chown), or make room on its disk.",
                level="trouble", effect="Nothing can be accepted.",
            )  # fmt: skip


def _disk(config: Config, composed: Pipeline) -> Iterator[Finding]:
    state = composed.config.state
    nearest = next(folder for folder in (state, *state.parents) if folder.is_dir())
    free, room = shutil.disk_usage(nearest).free, composed.config.source.room
    if free < room:
        yield finding_at(
            config, _state_key(config, composed),
            f"the disk of {state} has {free // 10**6} MB free, less than {room // 10**6} MB (`room`).",
            "Free disk space, or name a folder on a larger disk.",
            level="trouble", effect="Sources that serve refuse receipts; a full disk accepts nothing.",
        )  # fmt: skip


def _clock(config: Config, clock: Clock) -> Iterator[Finding]:
    now = clock.time()
    ahead = max((_newest(pipeline.state) for pipeline in config.pipelines), default=0.0) - now
    if now < _BUILT or ahead > 60.0:
        than = "this Tillpost was made" if now < _BUILT else "events that the journal has"
        yield Finding(
            message=f"the clock of this machine shows {iso(now)}, which is before {than}.",
            next_step="Set the clock, and let it be kept by NTP (`timedatectl`).",
            level="trouble",
            consequence="Files get wrong names and receipts wrong times.",
        )


def _newest(state: Path) -> float:
    if not (state / "journal.db").is_file():
        return 0.0
    try:
        with closing(Journal.read_only(state)) as journal:
            return journal.alert_inputs.last_event()
    except (TillpostError, OSError):
        return 0.0  # `run` and `tillpost journal verify` say what is wrong with it


def _channels(config: Config) -> Iterator[Finding]:
    for channel in config.alerts.channels:
        try:
            try_channel(channel, config.alerts)
        except ChannelError as error:
            yield finding_at(
                config, ("alerts", channel), f"no alert can be sent by it: {error}.",
                "Fix it; `tillpost alerts test` sends a notice.", level="trouble",
                effect="Alerts stand in `tillpost alerts`, and nobody is notified by this channel.",
            )  # fmt: skip


def _state_key(config: Config, composed: Pipeline) -> tuple[str, ...]:
    own = ("pipelines", composed.config.name, "state")
    return own if own in config.lines.by_path else ("tillpost", "state")

"""The line of a composed pipeline: what its steps share."""

from __future__ import annotations

from random import SystemRandom
from typing import Any

from tillpost.clock import SystemClock
from tillpost.compose.mapping import guard_of, ids_fingerprint
from tillpost.compose.pipeline import Pipeline
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.shared_folders import source_of
from tillpost.compose.trial import ProcessTrials
from tillpost.errors import NotCommitted
from tillpost.flow.breaker import Breaker
from tillpost.flow.line import Line
from tillpost.journal import Journal
from tillpost.journal.tables.settings_seen import Seen
from tillpost.model import Customer


def line_of(pipeline: Pipeline, journal: Journal, before: Line | None = None) -> Line:
    """What the steps of a composed pipeline share.

    before: the line of the same journal whose place it takes, with what it knows of receipts in
    hand and of the destination.
    """
    config, clock, random = pipeline.config, SystemClock(), SystemRandom()
    _take_up_settings(config, journal, clock.time())
    pipeline.cursor[:] = [lambda: journal.sources.cursor(pipeline.hooks.source())]
    shared: dict[str, Any] = {"breaker": Breaker(journal, config.retry, clock, random)}
    if before is not None:
        shared = {
            name: getattr(before, name) for name in ("breaker", "claims", "contact_locks", "duties", "clock_changes")
        }
    rules = config.identifier_rules()
    journal.use_identifier_rules(rules)
    return Line(
        name=config.name,
        journal=journal,
        hooks=pipeline.hooks,
        clock=clock,
        random=random,
        source=config.source if config.has("source") else None,
        retry=config.retry,
        fallback=config.fallback if config.has("fallback") else None,
        transfer=config.transfer if config.has("transfer") else None,
        server=server_of(config),
        lookup_keys=config.lookup_keys(),
        anonymous=Customer(identifiers=(config.anonymous,)) if config.anonymous else None,
        workers=pipeline.workers,
        pace=pipeline.pace,
        skip_unknown=config.unknown_contact == "skip",
        unknown_after=config.unknown_after,
        erased=config.erased,
        rules=rules,
        keep=config.keep,
        verify=config.verify,
        guard=guard_of(config),
        trials=ProcessTrials(pipeline.file, config.name),
        **shared,
    )


def _take_up_settings(config: PipelineConfig, journal: Journal, now: float) -> None:
    """Note the settings that what is in the journal depends on, and since when ids are made as they are."""
    fingerprint, source = ids_fingerprint(config), source_of(config)
    try:
        journal.receipts.ids_since = journal.settings_seen.take_up(Seen.IDS, fingerprint, now)
        if source is not None:
            journal.settings_seen.take_up(Seen.SOURCE, str(source), now)
    except NotCommitted:
        # A full disk keeps nobody from starting. Until the next start each sale is compared with what is there.
        journal.receipts.ids_since = now


def server_of(config: PipelineConfig) -> str:
    """The server and folder its files are put on, as people name it; "" without a transfer."""
    for use in config.slots:
        if use.slot == "transfer":
            host, port, user, path = (getattr(use.settings, name, "") for name in ("host", "port", "user", "path"))
            return f"{use.plugin} {f'{user}@' if user else ''}{host}{f':{port}' if port else ''}{path}"
    return ""

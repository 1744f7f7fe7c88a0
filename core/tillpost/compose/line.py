"""The line of a composed pipeline: what its steps share."""

from __future__ import annotations

from random import SystemRandom
from typing import Any

from tillpost.clock import SystemClock
from tillpost.compose.mapping import guard_of
from tillpost.compose.pipeline import Pipeline
from tillpost.flow.breaker import Breaker
from tillpost.flow.line import Line
from tillpost.journal import Journal
from tillpost.model import Customer


def line_of(pipeline: Pipeline, journal: Journal, before: Line | None = None) -> Line:
    """What the steps of a composed pipeline share.

    before: the line of the same journal whose place it takes, with what it knows of receipts in
    hand and of the destination.
    """
    config, clock, random = pipeline.config, SystemClock(), SystemRandom()
    shared: dict[str, Any] = {"breaker": Breaker(journal, config.retry, clock, random)}
    if before is not None:
        shared = {
            name: getattr(before, name) for name in ("breaker", "claims", "contact_locks", "duties", "clock_changes")
        }
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
        anonymous=Customer(identifiers=(config.anonymous,)) if config.anonymous else None,
        workers=pipeline.workers,
        pace=pipeline.pace,
        skip_unknown=config.unknown_contact == "skip",
        keep=config.keep,
        guard=guard_of(config),
        **shared,
    )

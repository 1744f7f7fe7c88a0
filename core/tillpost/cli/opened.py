"""What the commands share: the configuration loaded, a pipeline's journal opened, and how answers are printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

import click

from tillpost.clock import SystemClock
from tillpost.compose.config import Config, examine, load
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import ConfigurationError, Finding, UsageError
from tillpost.journal import Entry, Journal
from tillpost.journal.states import confirmation
from tillpost.terminal import amount, plain, when

if TYPE_CHECKING:
    from tillpost.compose.pipeline import Pipeline
    from tillpost.flow.line import Line

as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for scripts.")
which = click.option("--pipeline", "-p", default=None, help="The pipeline; needed when there are several.")


def one(config: Config, name: str | None) -> PipelineConfig:
    """The pipeline of this name, or the only one."""
    names = [pipeline.name for pipeline in config.pipelines]
    if name is None:
        if len(names) == 1:
            return config.pipelines[0]
        raise UsageError(f"{config.file} has several pipelines: name one with --pipeline ({', '.join(names)})")
    for pipeline in config.pipelines:
        if pipeline.name == name:
            return pipeline
    raise UsageError(f"{config.file} has no pipeline {name!r}; it has: {', '.join(names)}")


def sound(file: Path, names: Sequence[str]) -> tuple[Config, list[PipelineConfig], list[Finding]]:
    """The pipelines that have no error (only those of `names`, if any), and the errors of the others of the file.

    Raises ConfigurationError when a named one has an error, or when nothing is left.
    """
    config, findings = examine(file)
    errors = [finding for finding in findings if finding.level == "error"]
    if config is None:
        raise ConfigurationError(*findings)
    there = {pipeline.name for pipeline in config.pipelines}
    for name in names:
        own = [finding for finding in errors if f"{finding.key}.".startswith(f"pipelines.{name}.")]
        if name not in there and own:
            raise ConfigurationError(*own)
    wanted = [one(config, name) for name in names] or list(config.pipelines)
    return config, wanted, [] if names else errors


@contextmanager
def journal_of(file: Path, name: str | None) -> Iterator[Journal]:
    """The journal of one pipeline, without its plugins: works when a plugin is broken."""
    journal = Journal(one(load(file, plugins=False), name).state)
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def lines(config: Config, wanted: list[PipelineConfig], refused: list[Finding] | None = None) -> Iterator[list[Line]]:
    """The pipelines composed with their plugins, their journals opened.

    refused: takes the errors of pipelines whose plugins do not build, which are then left out; without it, or when
    none builds, ConfigurationError is raised.
    """
    # Here, because commands that only look into the journal need none of it and should answer at once.
    from tillpost.compose.line import line_of
    from tillpost.compose.pipeline import compose
    from tillpost.flow.rate_limit.budget import Budgets

    clock, random, budgets = SystemClock(), SystemRandom(), Budgets(config.state)
    composed: list[Pipeline] = []
    for each in wanted:
        try:
            composed.append(compose(config, each, clock=clock, random=random, budget=budgets))
        except ConfigurationError as error:
            if refused is None:
                raise
            refused += error.findings
    if not composed:
        raise ConfigurationError(*refused or ())
    made: list[Line] = []
    with ExitStack() as stack:
        stack.callback(budgets.close)
        for pipeline in composed:
            journal = Journal(pipeline.config.state)
            stack.callback(journal.close)
            made.append(line_of(pipeline, journal))
        yield made


def row(entry: Entry) -> dict[str, Any]:
    """A receipt in JSON, without personal data."""
    return {
        "id": entry.id,
        "number": entry.number,
        "store": entry.store,
        "till": entry.till,
        "created": entry.created,
        "total": amount(entry.total, entry.currency),
        "currency": entry.currency,
        "state": str(entry.state),
        "route": entry.route,
        "confirmed": confirmation(entry.state, entry.route, entry.reason),
        "attempts": entry.attempts,
        "due": when(entry.due) if entry.due else None,
        "accepted_at": when(entry.accepted_at),
        "delivered_at": when(entry.delivered_at),
        "file": entry.file,
        "document": entry.document,
        "place": entry.place,
        "reason": entry.reason,
    }


def table(rows: Iterable[dict[str, Any]], columns: list[str]) -> None:
    """Columns under their names, as wide as they need to be; of very many rows as wide as those so far."""
    cells = ([plain("" if each.get(name) is None else each[name]) for name in columns] for each in rows)
    widths = [0] * len(columns)
    lines = [columns]
    while lines:
        lines += islice(cells, _BLOCK)
        widths = [max(widths[index], *(len(line[index]) for line in lines)) for index in range(len(columns))]
        for line in lines:
            cells_of_line = zip(line, widths, columns, strict=True)
            click.echo(
                "  ".join(
                    cell.rjust(width) if name in _FIGURES else cell.ljust(width) for cell, width, name in cells_of_line
                ).rstrip()
            )
        lines = list(islice(cells, 1))


_FIGURES = frozenset(("amount", "bytes", "chosen", "missing", "put_back", "receipts", "rows", "tax", "total", "lines"))
"""Columns of numbers: aligned to the right."""
_BLOCK = 1000
"""Lines of a table that are measured and printed together."""

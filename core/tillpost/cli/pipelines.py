"""Which pipelines a command works on, and their journals and lines opened for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import wraps
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tillpost.cli.output import json_option
from tillpost.clock import SystemClock
from tillpost.compose.config import Config, examine, load
from tillpost.compose.journals import existing_journal, open_journal
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import ConfigurationError, Finding, JournalError, UsageError
from tillpost.journal import Journal

if TYPE_CHECKING:
    from tillpost.flow.line import Line

_T = TypeVar("_T")
pipeline_option = click.option("--pipeline", "-p", default=None, help="The pipeline; needed when there are several.")


def select_pipeline(config: Config, name: str | None) -> PipelineConfig:
    """The pipeline of this name, or the only one. Raises UsageError."""
    pipelines = {pipeline.name: pipeline for pipeline in config.pipelines}
    if name in pipelines:
        return pipelines[name]
    if name is not None:
        raise UsageError(f"{config.file} has no pipeline {name!r}; it has: {', '.join(pipelines)}")
    if len(pipelines) == 1:
        return config.pipelines[0]
    raise UsageError(f"{config.file} has several pipelines: name one with --pipeline ({', '.join(pipelines)})")


def runnable_pipelines(file: Path, names: Sequence[str]) -> tuple[Config, list[PipelineConfig], list[Finding]]:
    """The pipelines without an error (only those of `names`, if any), and the errors of the others of the file.

    Raises ConfigurationError when a named one has an error, or when none is left.
    """
    config, findings = examine(file)
    errors = [finding for finding in findings if finding.level == "error"]
    if config is None:
        raise ConfigurationError(*findings)
    runnable = {pipeline.name for pipeline in config.pipelines}
    for name in names:
        own = [finding for finding in errors if f"{finding.key}.".startswith(f"pipelines.{name}.")]
        if name not in runnable and own:
            raise ConfigurationError(*own)
    wanted = [select_pipeline(config, name) for name in names] or list(config.pipelines)
    return config, wanted, [] if names else errors


def read_each(
    wanted: Sequence[PipelineConfig], read: Callable[[PipelineConfig, Journal], _T]
) -> Iterator[tuple[str, _T | JournalError]]:
    """By pipeline what `read` finds in its journal, or why that cannot be read: it hides none of the others.

    Raises JournalError where it is the only one.
    """
    for each in wanted:
        try:
            with closing(existing_journal(each)) as journal:
                found: _T | JournalError = read(each, journal)
        except JournalError as error:
            if len(wanted) == 1:
                raise
            found = error
        yield each.name, found


def ways_to_read(name: str) -> str:
    """What a person does about a journal that cannot be read."""
    return f"`tillpost journal verify --pipeline {name}` says more."


@contextmanager
def opened_journal(file: Path, name: str | None) -> Iterator[Journal]:
    """The journal of one pipeline, without its plugins: works when a plugin is broken."""
    with closing(existing_journal(select_pipeline(load(file, plugins=False), name))) as journal:
        yield journal


def pipeline_command(work: Callable[..., None]) -> Callable[..., None]:
    """Make `work(chosen, **options)` the body of a command, with the options --pipeline and --json.

    chosen: the configuration of the pipeline, read without its plugins.
    """

    @pipeline_option
    @json_option
    @click.pass_obj
    @wraps(work)
    def command(file: Path, /, *, pipeline: str | None, **options: Any) -> None:
        work(select_pipeline(load(file, plugins=False), pipeline), **options)

    return command


def journal_command(work: Callable[..., None]) -> Callable[..., None]:
    """Make `work(journal, **options)` the body of a command, with the options --pipeline and --json."""

    @pipeline_command
    @wraps(work)
    def command(chosen: PipelineConfig, /, **options: Any) -> None:
        with closing(existing_journal(chosen)) as journal:
            work(journal, **options)

    return command


@contextmanager
def opened_lines(config: Config, wanted: list[PipelineConfig], new: bool = False) -> Iterator[list[Line]]:
    """The pipelines composed with their plugins, and their journals opened. Raises ConfigurationError.

    new: a journal that is gone may be begun again.
    """
    # Here, because commands that only look into the journal need none of it and should answer at once.
    from tillpost.compose.line import line_of
    from tillpost.compose.pipeline import compose
    from tillpost.flow.rate_limit.budget import Budgets

    clock, random, budgets = SystemClock(), SystemRandom(), Budgets(config.state)
    composed = [compose(config, pipeline, clock=clock, random=random, budget=budgets) for pipeline in wanted]
    with ExitStack() as stack:
        stack.callback(budgets.close)
        yield [
            line_of(each, stack.enter_context(closing(open_journal(each.config, clock.time(), new=new))))
            for each in composed
        ]

"""`tillpost metrics`: the metrics of the journals for Prometheus, without a server."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from tillpost.cli.pipelines import read_each, ways_to_read
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.journals import existing_journal
from tillpost.errors import JournalError, UsageError
from tillpost.telemetry.metrics import Source, render
from tillpost.terminal import plain


@click.command("metrics")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="A file; else standard output.")
@click.pass_obj
def command(file: Any, to: Path | None) -> None:
    """Print the metrics of the journals in the text format of Prometheus.

    For the textfile collector of node_exporter. Without what only a running process knows, such as how long calls take:
    `tillpost run --status` serves that. Exit code 1 when a journal cannot be read; the others are printed.

    \b
    Examples:
      tillpost metrics
      tillpost metrics --to /var/lib/prometheus/node-exporter/tillpost.prom
    """
    now = SystemClock().time()
    pipelines = load(file, plugins=False).pipelines
    found = dict(read_each(pipelines, lambda pipeline, journal: render([Source(pipeline.name, journal)], now)[0]))
    unknown = {name: error for name, error in found.items() if isinstance(error, JournalError)}
    with ExitStack() as stack:
        readable = [pipeline for pipeline in pipelines if pipeline.name not in unknown]
        sources = [Source(each.name, stack.enter_context(closing(existing_journal(each)))) for each in readable]
        body = render(sources, now)[0]
    _write(body, to)
    for name, error in unknown.items():
        click.echo(plain(f"{name}: unknown: {error}. {ways_to_read(name)}"), err=True)
    sys.exit(1 if unknown else 0)


def _write(body: bytes, to: Path | None) -> None:
    if to is None:
        click.echo(body, nl=False)
        return
    beside = to.with_name(f".{to.name}.{os.getpid()}")  # a reader sees all of the new file or all of the old one
    try:
        beside.write_bytes(body)
        beside.replace(to)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{to} cannot be written: {error.strerror}; name an existing folder") from error

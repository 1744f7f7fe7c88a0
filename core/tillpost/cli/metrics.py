"""`tillpost metrics`: the metrics of the journals for Prometheus, without a server."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.journals import existing_journal
from tillpost.errors import UsageError
from tillpost.telemetry.metrics import Source, render


@click.command("metrics")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="A file; else standard output.")
@click.pass_obj
def command(file: Any, to: Path | None) -> None:
    """Print the metrics of the journals in the text format of Prometheus.

    For the textfile collector of node_exporter. Without what only a running process knows, such as how long calls take:
    `tillpost run --status` serves that.

    \b
    Examples:
      tillpost metrics
      tillpost metrics --to /var/lib/prometheus/node-exporter/tillpost.prom
    """
    with ExitStack() as stack:
        sources = [
            Source(pipeline.name, stack.enter_context(closing(existing_journal(pipeline))))
            for pipeline in load(file, plugins=False).pipelines
        ]
        body = render(sources, SystemClock().time())[0]
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

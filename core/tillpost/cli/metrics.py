"""`tillpost metrics`: what the journals say, for Prometheus, without a server."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.journal import Journal
from tillpost.sight.metrics import Source, written


@click.command("metrics")
@click.pass_obj
def command(file: Any) -> None:
    """Print the metrics of the journals in the text format of Prometheus.

    For the textfile collector of node_exporter. What only a running process knows, such as how long calls take, is
    left out: a `run` with --status tells it.

    \b
    Examples:
      tillpost metrics
      tillpost metrics > /var/lib/prometheus/node-exporter/tillpost.prom
    """
    with ExitStack() as stack:
        sources = []
        for pipeline in load(file, plugins=False).pipelines:
            journal = Journal(pipeline.state)
            stack.callback(journal.close)
            sources.append(Source(pipeline.name, journal))
        click.echo(written(sources, SystemClock().time())[0], nl=False)

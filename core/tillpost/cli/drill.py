"""`tillpost drill`: rehearse an outage on the sandbox, with one's own configuration."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from tillpost.cli.pipelines import pipeline_option, runnable_pipelines, select_pipeline
from tillpost.cli.tool import tool
from tillpost.compose.config import load
from tillpost.compose.portable import portable_table
from tillpost.compose.values import SettingError, duration


class Duration(click.ParamType[timedelta]):
    """A duration as the configuration writes it: `90s`, `10m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return duration(value)
        except SettingError as error:
            self.fail(f"{error.message} {error.next_step}", param, ctx)


@click.group("drill")
def command() -> None:
    """Rehearse an outage on the sandbox; nothing touches the real Engage, file server or state.

    \b
    Example:
      tillpost drill outage --for 10m
    """


@command.command("outage")
@click.option("--for", "length", type=Duration(), default="10m", show_default=True, help="How long the API is away.")
@click.option("--quick", is_flag=True, help="Divide all durations by one factor, so that it takes about a minute.")
@click.option("--receipts", default=120, show_default=True, help="Generated receipts, in place of your adapter's.")
@click.option(
    "--from", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Documents in the pipeline's own format instead; may be repeated.",
)  # fmt: skip
@click.option("--dir", type=click.Path(path_type=Path), help="Keep everything here; else nothing stays.")
@click.option("--report", type=click.Path(path_type=Path), help="Write an HTML report.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON in the last line.")
@pipeline_option
@click.pass_obj
def outage(file: Any, /, pipeline: str | None, **options: Any) -> None:
    """Take the API away for a while, and report how the configuration copes. Exit code 1 when a person is needed.

    It runs in real time: a drill of ten minutes takes ten, and the time its files need afterwards.

    \b
    Examples:
      tillpost drill outage --for 10m
      tillpost drill outage --for 2h --quick --from POSLog.xml --report drill.html
    """
    config = runnable_pipelines(file, [pipeline])[0] if pipeline else load(file)
    chosen = select_pipeline(config, pipeline)
    rehearsed = portable_table(chosen, config.file.parent)
    sys.exit(tool("drill")(pipeline=rehearsed, name=chosen.name, **options, echo=click.echo))

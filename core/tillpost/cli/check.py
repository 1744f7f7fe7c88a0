"""`tillpost check`: settings, then folders and plugins, then whether the destination answers."""

from __future__ import annotations

import sys
from random import SystemRandom
from typing import Any

import attrs
import click

from tillpost.cli.output import json_option
from tillpost.clock import SystemClock
from tillpost.compose.config import Config, examine
from tillpost.compose.pipeline import check_pipelines, compose, finding_at
from tillpost.errors import Finding
from tillpost.flow.rate_limit.budget import Budgets
from tillpost.model import Delivered
from tillpost.terminal import say


@click.command("check")
@click.option("--offline", is_flag=True, help="Leave out whether the destination answers.")
@json_option
@click.pass_obj
def command(file: Any, offline: bool, as_json: bool) -> None:
    """Examine the configuration; every finding names file, line and key. Exit code 78 when there is one.

    Also a warning (such as a secret written into the file) is a finding here; `run` only refuses errors.

    \b
    Examples:
      tillpost check
      tillpost --config shop.toml check --offline --json
    """
    config, findings = examine(file)
    if config is not None:
        findings += check_pipelines(config)
    if config is not None and not offline and not any(finding.level == "error" for finding in findings):
        findings += _reach(config)
    for finding in findings:
        say(attrs.asdict(finding)) if as_json else click.echo(str(finding), err=True)
    if not findings and not as_json:
        tiers = "settings, folders and plugins" + ("" if offline else ", destination")
        click.echo(f"{file}: fine ({tiers})")
    sys.exit(78 if findings else 0)


def _reach(config: Config) -> list[Finding]:
    findings = []
    budgets = Budgets(config.state if config.state.is_dir() else None)  # makes no folder
    for pipeline in config.pipelines:
        composed = compose(config, pipeline, clock=SystemClock(), random=SystemRandom(), budget=budgets)
        outcome = composed.hooks.probe()
        if not isinstance(outcome, Delivered):
            path = ("pipelines", pipeline.name, "transport")
            message = f"the destination cannot be used: {outcome.reason}."
            hint = "Check the address, the key and the network, or use --offline."
            findings.append(finding_at(config, path, message, hint))
    return findings

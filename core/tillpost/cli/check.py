"""`tillpost check`: settings, then folders and plugins, then whether the far side answers."""

from __future__ import annotations

import sys
from typing import Any

import attrs
import click

from tillpost.cli.opened import as_json, lines, say
from tillpost.compose.config import Config, examine
from tillpost.errors import ConfigurationError, Finding
from tillpost.model import Delivered


@click.command("check")
@click.option("--offline", is_flag=True, help="Leave out whether the far side answers.")
@as_json
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
    if config is not None and not any(finding.level == "error" for finding in findings):
        try:
            findings += _compose(config, offline)
        except ConfigurationError as error:
            findings += error.findings
    for finding in findings:
        say(attrs.asdict(finding)) if as_json else click.echo(str(finding), err=True)
    if not findings and not as_json:
        tiers = "settings, folders and plugins" + ("" if offline else ", far side")
        click.echo(f"{file}: fine ({tiers})")
    sys.exit(78 if findings else 0)


def _compose(config: Config, offline: bool) -> list[Finding]:
    findings = []
    with lines(config, list(config.pipelines)) as made:
        for line in [] if offline else made:
            outcome = line.hooks.probe()
            if not isinstance(outcome, Delivered):
                key = f"pipelines.{line.name}.transport"
                findings.append(
                    Finding(
                        file=config.shown,
                        line=config.lines.at(("pipelines", line.name, "transport")),
                        key=key,
                        message=f"the far side cannot be used: {outcome.reason}.",
                        next_step="Check the address and the key, or use --offline.",
                    )
                )
    return findings

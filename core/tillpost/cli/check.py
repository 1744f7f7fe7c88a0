"""`tillpost check`: settings, then plugins and state folders, then everything outside that a pipeline will need."""

from __future__ import annotations

import sys
from typing import Any

import click

from tillpost.cli.output import json_option
from tillpost.compose.config import examine
from tillpost.compose.pipeline import check_pipelines
from tillpost.compose.stranded import find_stranded, left_in_sources, names_in, not_asked_for, not_observed
from tillpost.daemon.trial import TRIALS, attempt
from tillpost.terminal import counted, say


@click.command("check")
@click.option("--offline", is_flag=True, help="Try nothing outside the configuration: no server, source or folder.")
@json_option
@click.pass_obj
def command(file: Any, offline: bool, as_json: bool) -> None:
    """Examine the configuration, and try everything a pipeline will need; every finding names file, line and key.

    The file server is tried with a file that no import reads, which is removed again; nothing else is sent. Exit code
    78 when the configuration is wrong (also for a warning, such as a secret written into the file; `run` only refuses
    errors), 1 when something outside needs a person, such as a server that does not answer,
    or receipts that wait where no pipeline of the file works.

    \b
    Examples:
      tillpost check
      tillpost --config shop.toml check --offline --json
    """
    config, findings = examine(file)
    tried, not_tried = ["settings"], [*TRIALS]
    if config is not None:
        tried.append("plugins")
        findings += check_pipelines(config)
        if not offline and not any(finding.level == "error" for finding in findings):
            trial = attempt(config)
            findings += trial.findings
            tried, not_tried = [*tried, *TRIALS], trial.not_tried
        findings += [each.finding() for each in find_stranded(config, names_in(config))]
        findings += left_in_sources(config) + not_asked_for(config) + not_observed(config)
    for finding in findings:
        say(finding.as_json()) if as_json else click.echo("\n".join(finding.lines()), err=True)
    if not as_json:
        left = f"; not tried: {', '.join(not_tried)}" if not_tried else ""
        stand = counted(len(findings), "finding") if findings else "fine"
        click.echo(f"{file}: {stand} ({', '.join(tried)}{left})", err=bool(findings))
    wrong = any(finding.level != "trouble" for finding in findings)
    sys.exit(78 if wrong else 1 if findings else 0)

"""`tillpost plugins`: what is installed, and what is broken."""

from __future__ import annotations

import sys

import attrs
import click

from tillpost.cli.output import json_option, print_table
from tillpost.compose.plugins import installed_plugins
from tillpost.terminal import say


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List installed plugins with the slots they fill; exit code 1 when one cannot be loaded.

    \b
    Examples:
      tillpost plugins
      tillpost plugins --json
    """
    rows = [attrs.asdict(info) for info in installed_plugins()]
    if as_json:
        say({"plugins": rows})
    else:
        print_table(rows, ["name", "slots", "version", "summary", "error"])
    sys.exit(1 if any(each["error"] for each in rows) else 0)

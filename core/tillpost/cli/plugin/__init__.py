"""`tillpost plugin`: what a vendor does with a plugin of its own."""

from __future__ import annotations

import click

from tillpost.cli.plugin import promises, scaffold


@click.group("plugin")
def command() -> None:
    """Start a plugin of any slot, or test the promises of one.

    \b
    Examples:
      tillpost plugin new mytill
      tillpost plugin test mytill
    """


command.add_command(scaffold.command)
command.add_command(promises.command)

"""`tillpost adapter`: what an integrator does with an adapter before it goes into a pipeline."""

from __future__ import annotations

import click

from tillpost.cli.adapter import preset, promises, scaffold, trial


@click.group("adapter")
def command() -> None:
    """Try an adapter on a file, test its promises, show its presets, or begin a new one.

    \b
    Examples:
      tillpost adapter try poslog POSLog.xml --set timezone=Europe/Stockholm --set loyalty=externalId
      tillpost adapter test poslog --report report.md
      tillpost adapter new mytill
    """


command.add_command(trial.command)
command.add_command(preset.command)
command.add_command(promises.command)
command.add_command(scaffold.command)

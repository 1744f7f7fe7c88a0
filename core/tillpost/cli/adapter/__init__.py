"""`tillpost adapter`: what an integrator does with an adapter before it goes into a pipeline."""

from __future__ import annotations

import click

from tillpost.cli.adapter import preset, sample, trial


@click.group("adapter")
def command() -> None:
    """Try an adapter on a file, make a sample of it, or show its presets.

    \b
    Examples:
      tillpost adapter try poslog POSLog.xml --set timezone=Europe/Stockholm --set loyalty=externalId
      tillpost adapter preset table
    """


command.add_command(trial.command)
command.add_command(preset.command)
command.add_command(sample.command)

"""`tillpost init`: a commented configuration to start from, and the folder its source reads."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import click

from tillpost.errors import UsageError


@click.command("init")
@click.pass_obj
def command(file: Any) -> None:
    """Write a commented configuration, and make the folder `inbox` beside it; nothing that exists is overwritten.

    No other command makes the folder of a source: where a share is not mounted, it would be made in its mount point.

    \b
    Examples:
      tillpost init
      tillpost --config shop.toml init
    """
    text = files("tillpost.cli").joinpath("starter.toml").read_text()
    inbox = file.parent / "inbox"
    try:
        with file.open("x") as out:
            out.write(text)
        inbox.mkdir(exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{file} exists; remove it, or name another with --config") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"{file} written, its inbox is {inbox}; fill in the address and the keys, then: tillpost check")

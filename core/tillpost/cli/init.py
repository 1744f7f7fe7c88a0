"""`tillpost init`: a commented configuration to start from."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import click

from tillpost.errors import UsageError


@click.command("init")
@click.pass_obj
def command(file: Any) -> None:
    """Write a commented configuration; an existing file is never overwritten.

    \b
    Examples:
      tillpost init
      tillpost --config shop.toml init
    """
    text = files("tillpost.cli").joinpath("starter.toml").read_text()
    try:
        with file.open("x") as out:
            out.write(text)
    except FileExistsError:
        raise UsageError(f"{file} exists; remove it, or name another with --config") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"{file} written; fill in the address and the keys, then: tillpost check")

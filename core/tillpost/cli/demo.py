"""`tillpost demo`: a day of receipts through an outage, with proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tillpost.cli.tool import tool


@click.command("demo")
@click.option(
    "--from", "from_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A real export."
)
@click.option("--adapter", help="The adapter that reads it.")
@click.option("--anonymous", metavar="KIND:VALUE", help="The contact of receipts without a customer.")
@click.option("--timezone", help="The zone of the export's local times.")
@click.option("--seed", default=1, show_default=True, help="Seed of the generated day.")
@click.option("--receipts", default=120, show_default=True, help="Receipts of the generated day.")
@click.option("--dir", type=click.Path(path_type=Path), help="Keep everything here; else a temporary folder.")
@click.option("--report", type=click.Path(path_type=Path), help="Where to write the HTML report.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON in the last line.")
def command(**options: Any) -> None:
    """Carry a day of receipts through an outage into the sandbox, and judge by what it holds.

    \b
    Examples:
      tillpost demo
      tillpost demo --from POSLog.xml --adapter poslog --anonymous externalId:HOUSE --json
    """
    sys.exit(tool("demo")(**options, echo=click.echo))

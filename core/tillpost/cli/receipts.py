"""`tillpost receipts`: a list of receipts."""

from __future__ import annotations

import click

from tillpost.cli.output import print_rows, receipt_row
from tillpost.cli.pipelines import journal_command
from tillpost.journal import Journal, State


@click.command("receipts")
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only those in this state.")
@click.option("--store", help="Only those of this store.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many; all without it.")
@journal_command
def command(journal: Journal, state: str | None, store: str | None, limit: int | None, as_json: bool) -> None:
    """List receipts in order of acceptance; with --json one object a line.

    \b
    Examples:
      tillpost receipts --state held
      tillpost receipts --store 12 --json
    """
    rows = map(receipt_row, journal.listings.receipts(state or "", store or "", limit))
    print_rows(rows, ["id", "till_time", "total", "currency", "state", "route", "reason"], as_json)

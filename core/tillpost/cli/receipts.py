"""`tillpost receipts`: a list of receipts."""

from __future__ import annotations

from typing import Any

import click

from tillpost.cli.output import json_option, print_table, receipt_row
from tillpost.cli.pipelines import opened_journal, pipeline_option
from tillpost.journal import State
from tillpost.terminal import say


@click.command("receipts")
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only those in this state.")
@click.option("--store", help="Only those of this store.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many; all without it.")
@pipeline_option
@json_option
@click.pass_obj
def command(
    file: Any, state: str | None, store: str | None, limit: int | None, pipeline: str | None, as_json: bool
) -> None:
    """List receipts in order of acceptance; with --json one object a line.

    \b
    Examples:
      tillpost receipts --state held
      tillpost receipts --store 12 --json
    """
    with opened_journal(file, pipeline) as journal:
        rows = map(receipt_row, journal.listings.receipts(state or "", store or "", limit))
        if as_json:
            for each in rows:
                say(each)
        else:
            print_table(rows, ["id", "till_time", "total", "currency", "state", "route", "reason"])

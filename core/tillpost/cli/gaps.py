"""`tillpost gaps`: missing receipt numbers."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import timedelta

import click

from tillpost.cli.drill import Duration
from tillpost.cli.output import print_table
from tillpost.cli.pipelines import pipeline_command
from tillpost.clock import SystemClock
from tillpost.compose.journals import existing_journal
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.reports.gaps import gaps, numbered
from tillpost.terminal import answer, counted, plain, say


@click.command("gaps")
@click.option("--store", default="", help="Only this store.")
@click.option("--till", default=None, help="Only this till.")
@click.option(
    "--since", type=Duration(), metavar="TEXT", default="7d", show_default=True, help="How far back, by business date."
)
@pipeline_command
def command(chosen: PipelineConfig, store: str, till: str | None, since: timedelta, as_json: bool) -> None:
    """List numbers missing between two known ones, per till; exit code 1 when there are any.

    Only for adapters whose numbers run without a gap (capability `sequence`).

    \b
    Examples:
      tillpost gaps
      tillpost gaps --store 12 --since 7d
    """
    if not numbered(chosen):
        reason = "not numbered: the adapter does not promise numbers without a gap"
        answer(as_json, {"numbered": False, "reason": reason}, f"{chosen.name}: {reason}")
        return
    with closing(existing_journal(chosen)) as journal:
        tills = gaps(journal, SystemClock().time(), since, store=store, till=till, keep=chosen.keep)
    if as_json:
        for each in tills:
            say(each.as_json())
    else:
        for each in tills:
            if not each.numbered:
                click.echo(plain(f"store {each.store} till {each.till}: not numbered: its numbers follow no sequence"))
        rows = [
            {"store": each.store, "till": each.till, "date": gap.date, "first": gap.first, "last": gap.last,
             "missing": gap.count}
            for each in tills for gap in each.gaps
        ]  # fmt: skip
        if rows:
            print_table(rows, ["store", "till", "date", "first", "last", "missing"])
        else:
            numbers = counted(sum(each.numbered for each in tills), "till")
            click.echo(f"{chosen.name}: no gaps in the numbers of {numbers}")
    sys.exit(1 if any(each.gaps for each in tills) else 0)

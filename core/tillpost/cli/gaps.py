"""`tillpost gaps`: missing receipt numbers."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import timedelta
from typing import Any

import click

from tillpost.cli.output import json_option, print_table
from tillpost.cli.pipelines import pipeline_option, select_pipeline
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.values import SettingError, duration
from tillpost.journal import Journal
from tillpost.reports.gaps import gaps, numbered
from tillpost.terminal import counted, plain, say


def _since(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    try:
        return duration(value)
    except SettingError as error:
        raise click.BadParameter(f"{error.message} {error.next_step}") from None


@click.command("gaps")
@click.option("--store", default="", help="Only this store.")
@click.option("--till", default=None, help="Only this till.")
@click.option("--since", default="7d", show_default=True, callback=_since, help="How far back, by business date.")
@pipeline_option
@json_option
@click.pass_obj
def command(file: Any, store: str, till: str | None, since: timedelta, pipeline: str | None, as_json: bool) -> None:
    """List numbers missing between two known ones, per till; exit code 1 when there are any.

    Only for adapters whose numbers run without a gap (capability `sequence`).

    \b
    Examples:
      tillpost gaps
      tillpost gaps --store 12 --since 7d
    """
    chosen = select_pipeline(load(file, plugins=False), pipeline)
    if not numbered(chosen):
        reason = "not numbered: the adapter does not promise numbers without a gap"
        say({"numbered": False, "reason": reason}) if as_json else click.echo(f"{chosen.name}: {reason}")
        return
    with closing(Journal(chosen.state)) as journal:
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
            click.echo(
                f"{chosen.name}: no gaps in the numbers of {counted(sum(each.numbered for each in tills), 'till')}"
            )
    sys.exit(1 if any(each.gaps for each in tills) else 0)

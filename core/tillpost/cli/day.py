"""`tillpost day`: the till totals of a store's day against what is recorded, delivered and confirmed."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click

from tillpost.cli.output import print_table
from tillpost.cli.pipelines import pipeline_command
from tillpost.clock import SystemClock
from tillpost.compose.journals import existing_journal
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.reports import day_page, day_report, till_totals, verification
from tillpost.reports.day import Day, day
from tillpost.terminal import counted, plain, say


@click.command("day")
@click.argument("store")
@click.argument("on", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--till", help="Only this till.")
@click.option(
    "--till-totals", "file_of_totals", type=click.Path(path_type=Path),
    help="Totals of the tills, as CSV: date, store, till, currency, count, total and tender, tax or number.",
)  # fmt: skip
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a report to print.")
@click.option("--csv", "sheet", type=click.Path(dir_okay=False, path_type=Path), help="Write every figure as CSV.")
@pipeline_command
def command(
    chosen: PipelineConfig,
    store: str,
    on: datetime,
    till: str | None,
    file_of_totals: Path | None,
    page: Path | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Counts and sums of a business date: till total, recorded, delivered, confirmed; by currency, tender and tax.

    Exit code 1 when a figure differs from its till total, or a receipt is not delivered. The totals of --till-totals
    are kept in the journal for the next call, and for the alert `day_total`.

    \b
    Examples:
      tillpost day 12 2026-11-23
      tillpost day 12 2026-11-23 --till-totals totals.csv --html day.html
    """
    now = SystemClock().time()
    figures = till_totals.read(file_of_totals) if file_of_totals is not None else []
    with closing(existing_journal(chosen)) as journal:
        journal.day_totals.put(figures, now)
        found = day(journal, store, on.date(), till=till)
    if page is not None:
        page.write_text(day_page.html(found, chosen.name, now), encoding="utf-8")
    if sheet is not None:
        sheet.write_text(day_report.as_csv(found), encoding="utf-8", newline="")
    if as_json:
        say(day_report.to_json(found))
    else:
        _print(found)
        if figures and not any((each.store, each.business_date) == (found.store, found.date) for each in figures):
            click.echo(f"{file_of_totals} has no total of store {plain(store)} on {on.date()}")
    sys.exit(0 if found.fine else 1)


def _print(found: Day) -> None:
    columns = ["currency", "what", "of", "receipts", "amount"]
    if rows := [{name: getattr(each, name) for name in columns} for each in day_report.figures(found)]:
        print_table(rows, columns)
    for reason, count in found.skipped.items():
        click.echo(f"skipped: {counted(count, 'receipt')}: {plain(reason)}")
    for difference in found.differences:
        click.echo(plain(f"difference: {day_report.sentence(difference)}"))
        for suspect in difference.suspects:
            click.echo(plain(f"  {suspect.id or suspect.number} {suspect.amount}: {suspect.why}"))
    for listed in (found.undelivered, found.same_number, found.unreadable, found.discarded):
        for each in listed:
            because = f" ({each.reason})" if each.reason else ""
            click.echo(plain(f"{each.id} {each.amount}: {each.why}{because}"))
    for till, first, last in found.missing:
        numbers = first if first == last else f"{first} to {last}"
        click.echo(plain(f"not in the journal: till {till} number {numbers}"))
    if found.removed:
        click.echo(f"{counted(found.removed, 'receipt')} left the journal by `keep`: a day that old is incomplete")
    if summary := verification.sentence(found.verification, SystemClock().time()):
        click.echo(f"verified, in the whole pipeline: {plain(summary)}")
    click.echo(day_report.verdict(found))

"""`tillpost held`: receipts that wait for a person, and the person's decision."""

from __future__ import annotations

import sys
from typing import Any

import click

from tillpost.cli.output import json_option, print_rows, receipt_row
from tillpost.cli.pipelines import journal_command, opened_lines, pipeline_option, select_pipeline
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.errors import UsageError
from tillpost.flow.upkeep import held
from tillpost.journal import Journal, State
from tillpost.terminal import answer, plain, say


@click.group("held")
def command() -> None:
    """Receipts a person must decide on: list, show, retry, discard.

    \b
    Examples:
      tillpost held list
      tillpost held retry 12_1_2026-11-24_5578
      tillpost held discard 12_1_2026-11-24_5578 --reason "test sale of the service technician"
    """


@command.command("list")
@journal_command
def list_(journal: Journal, as_json: bool) -> None:
    """List them with their reasons; exit code 1 when there are any.

    \b
    Example:
      tillpost held list --json
    """
    there = any(True for _ in journal.listings.receipts(State.HELD, limit=1))
    rows = map(receipt_row, journal.listings.receipts(State.HELD))
    print_rows(rows, ["id", "number", "store", "document", "place", "reason"], as_json)
    sys.exit(1 if there else 0)


@command.command("show")
@click.argument("receipt_id")
@journal_command
def show(journal: Journal, receipt_id: str, as_json: bool) -> None:
    """Show one with the record as the till wrote it (which may hold personal data).

    \b
    Example:
      tillpost held show 12_1_2026-11-24_5578
    """
    entry = journal.receipts.get(receipt_id)
    if entry is None:
        raise UsageError(f"no receipt {receipt_id} in the journal; `tillpost held list` lists the held ones")
    record = journal.bodies.raw(entry.seq).decode(errors="backslashreplace")
    if as_json:
        say(receipt_row(entry) | {"record": record})
        return
    for name, value in receipt_row(entry).items():
        click.echo(f"{name}: {plain(value)}")
    click.echo("record:")
    for text in record.splitlines():
        click.echo(f"  {plain(text)}")


@command.command("retry")
@click.argument("receipt_ids", nargs=-1, required=True)
@pipeline_option
@json_option
@click.pass_obj
def retry(file: Any, receipt_ids: tuple[str, ...], pipeline: str | None, as_json: bool) -> None:
    """Deliver them again; one that could not be read is read again with today's settings.

    \b
    Example:
      tillpost held retry 12_1_2026-11-24_5578
    """
    config = load(file)
    with opened_lines(config, [select_pipeline(config, pipeline)]) as (line,):
        for receipt_id in receipt_ids:
            result = held.retry(line, receipt_id)
            answer(as_json, {"id": receipt_id, "result": result}, f"{receipt_id}: {result}")


@command.command("discard")
@click.argument("receipt_ids", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; it stays in the journal.")
@journal_command
def discard(journal: Journal, receipt_ids: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Never send them; the record and the reason stay.

    \b
    Example:
      tillpost held discard 12_1_2026-11-24_5578 --reason "test sale"
    """
    for receipt_id in receipt_ids:
        held.discard(journal, receipt_id, reason, SystemClock().time())
        answer(as_json, {"id": receipt_id, "result": "discarded"}, f"{receipt_id}: discarded")

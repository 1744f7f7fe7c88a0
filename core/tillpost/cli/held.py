"""`tillpost held`: receipts that wait for a person, and the person's decision."""

from __future__ import annotations

import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import click

from tillpost.cli.output import json_option, print_rows, receipt_row
from tillpost.cli.pipelines import (
    journal_command,
    opened_lines,
    pipeline_command,
    pipeline_option,
    select_pipeline,
)
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.journals import existing_journal
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import UsageError
from tillpost.flow.upkeep import held
from tillpost.journal import Journal, State
from tillpost.model import Customer
from tillpost.model import receipt_id as make_receipt_id
from tillpost.terminal import answer, plain, say


@click.group("held")
def command() -> None:
    """Receipts a person must decide on: list, show, retry, correct, return, discard.

    \b
    Examples:
      tillpost held list
      tillpost held retry 12_1_2026-11-24_5578
      tillpost held correct 12_1_2026-11-24_5578 --set customer.email=eva@example.com
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
            entry = line.journal.receipts.get(receipt_id)
            result = held.retry(line, receipt_id)
            was = entry.reason if entry is not None else ""
            lines = {"queued again": f"{receipt_id}: queued again, to be sent under the same id; it was held: {was}"}
            answer(
                as_json,
                {"id": receipt_id, "result": result, "was_held": was},
                plain(lines.get(result, f"{receipt_id}: {result}")),
            )


@command.command("correct")
@click.argument("receipt_id")
@click.option("--set", "values", multiple=True, metavar="PATH=VALUE", help="A value, such as customer.email=a@b.se.")
@click.option(
    "--from", "given", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="The whole receipt as JSON, in place of what the till wrote.",
)  # fmt: skip
@click.option("--other-sale", is_flag=True, help="It is another sale than the one that has its id: send both.")
@pipeline_command
def correct(
    chosen: PipelineConfig,
    receipt_id: str,
    values: tuple[str, ...],
    given: Path | None,
    other_sale: bool,
    as_json: bool,
) -> None:
    """Send it with other content, under its own id. The change is recorded without the values.

    Without --set and --from, a correction of the till takes the place of the receipt it corrects, while that one has
    not left. Paths are those of the receipt's JSON; `customer.` has the identifiers and the attributes.

    \b
    Examples:
      tillpost held correct 12_1_2026-11-24_5578 --set customer.email=eva@example.com
      tillpost held correct 12_1_2026-11-24_5578 --set lines[0].sku=7310500 --set lines[0].tax_percent=25
      tillpost held correct 12_1_2026-11-24_5578#9f86d081884c
    """
    pairs = dict(value.partition("=")[::2] for value in values)
    if bad := next((value for value in values if "=" not in value), None):
        raise UsageError(f"--set needs PATH=VALUE, and is {plain(bad.partition('=')[0])}")
    if other_sale and (values or given):
        raise UsageError("--other-sale sends what the till wrote; leave out --set and --from")
    now, anonymous = SystemClock().time(), _anonymous(chosen)
    with closing(existing_journal(chosen)) as journal:
        journal.use_identifier_rules(chosen.identifier_rules())
        if other_sale:
            identity = held.send_apart(journal, receipt_id, "another sale with the same id", anonymous, now)
            result = f"queued as {identity}"
        else:
            content = given.read_bytes() if given else None
            make_id = partial(make_receipt_id, recipe=chosen.recipe)
            result = held.correct(journal, receipt_id, pairs, content, make_id, anonymous, now)
    answer(as_json, {"id": receipt_id, "result": result}, f"{receipt_id}: {result}")


@command.command("return")
@click.argument("receipt_id")
@click.option("--reason", required=True, help="Why; it stays in the journal.")
@pipeline_command
def return_(chosen: PipelineConfig, receipt_id: str, reason: str, as_json: bool) -> None:
    """Answer a void, or a change, of a delivered sale: send its return, and for a change the new content as a sale.

    Leave it, and discard the record, where the till itself makes the return.

    \b
    Example:
      tillpost held return 12_1_2026-11-24_5578#voided --reason "the customer brought it back, no return was rung up"
    """
    with closing(existing_journal(chosen)) as journal:
        journal.use_identifier_rules(chosen.identifier_rules())
        ids = held.send_return(journal, receipt_id, reason, _anonymous(chosen), SystemClock().time())
    answer(as_json, {"id": receipt_id, "queued": ids}, f"{receipt_id}: queued {' and '.join(ids)}")


def _anonymous(chosen: PipelineConfig) -> Customer | None:
    return Customer(identifiers=(chosen.anonymous,)) if chosen.anonymous else None


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

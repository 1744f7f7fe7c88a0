"""`tillpost receipt ID`: the state of one receipt, and its timeline."""

from __future__ import annotations

from typing import Any

import click

from tillpost.cli.output import receipt_row
from tillpost.cli.pipelines import journal_command
from tillpost.errors import UsageError
from tillpost.journal import Journal
from tillpost.reports.labels import delivery
from tillpost.reports.timeline import contact_of, detail_text, flags_of, timeline
from tillpost.terminal import plain, say
from tillpost.trace import trace_id


@click.command("receipt")
@click.argument("receipt_id", required=False)
@click.option("--number", help="The printed number.")
@click.option("--store", help="The store.")
@journal_command
def command(journal: Journal, receipt_id: str | None, number: str | None, store: str | None, as_json: bool) -> None:
    """Show one receipt: state, route, contact, and everything that happened to it.

    \b
    Examples:
      tillpost receipt 12_1_2026-11-24_5578
      tillpost receipt --number 5578 --store 12
    """
    if not receipt_id and not number:
        raise UsageError("name a receipt: its ID, or --number N --store S")
    if receipt_id:
        entry = journal.receipts.get(receipt_id)
        found = [entry] if entry else []
    else:
        found = journal.receipts.find({"number": number or "", **({"store": store} if store else {})})
    if not found:
        raise UsageError("no such receipt in the journal; `tillpost receipts` lists them")
    for entry in found:
        answer = receipt_row(entry) | {"trace_id": trace_id(entry.id)}
        if contact := contact_of(journal, entry):
            answer["contact"] = contact
        answer["events"] = timeline(journal, entry)
        answer["flags"] = flags_of(answer["events"])
        say(answer) if as_json else _print(answer)


def _print(answer: dict[str, Any]) -> None:
    state = answer["state"] + delivery(answer["route"], answer["confirmed"])
    click.echo(plain(f"receipt {answer['number']} of store {answer['store']}: {state}"))
    if answer["total"]:
        click.echo(plain(f"  total: {answer['total']} {answer['currency']}"))
    for name in _SHOWN:
        if answer[name]:
            title = "fallback file" if name == "file" else name.replace("_", " ")
            click.echo(f"  {title}: {plain(answer[name])}")
    if "contact" in answer:
        contact = answer["contact"]
        known = plain(contact["contact_id"]) or "contactId not known yet"
        click.echo(f"  contact: {known} ({', '.join(contact['identifiers'])})")
    for event in answer["events"]:
        who = "contact: " if "contact" in event else ""
        detail = detail_text(event["detail"])
        more = f" ({detail})" if detail else ""
        click.echo(plain(f"  {event['at']}  {event['step']:<11}  {who}{event['what']}{more}"))


_SHOWN = (
    "id",
    "trace_id",
    "till_time",
    "document",
    "place",
    "flags",
    "file",
    "next_attempt_at",
    "verified_at",
    "next_look_at",
    "reason",
)

"""`tillpost receipt ID`: where one receipt is, and everything that has happened to it."""

from __future__ import annotations

import json
from typing import Any

import click

from tillpost.cli.opened import as_json, journal_of, row, which
from tillpost.errors import UsageError
from tillpost.terminal import plain, say, when
from tillpost.trace import trace_id


@click.command("receipt")
@click.argument("receipt_id", required=False)
@click.option("--number", help="The printed number.")
@click.option("--store", help="The store.")
@which
@as_json
@click.pass_obj
def command(
    file: Any, receipt_id: str | None, number: str | None, store: str | None, pipeline: str | None, as_json: bool
) -> None:
    """The whole life of one receipt: events, attempts, route, contact.

    \b
    Examples:
      tillpost receipt 12_1_2026-11-24_5578
      tillpost receipt --number 5578 --store 12
    """
    if not receipt_id and not number:
        raise UsageError("name a receipt: its ID, or --number N --store S")
    with journal_of(file, pipeline) as journal:
        if receipt_id:
            entry = journal.receipts.get(receipt_id)
            found = [entry] if entry else []
        else:
            found = journal.receipts.find({"number": number or "", **({"store": store} if store else {})})
        if not found:
            raise UsageError("the journal has no such receipt; `tillpost receipts` lists what it has")
        for entry in found:
            answer = row(entry) | {"trace_id": trace_id(entry.id)}
            events = journal.events.of_receipt(entry.seq)
            if entry.contact:
                known = journal.contacts.get(entry.contact)
                answer["contact"] = {
                    "key": known.key,
                    "contact_id": known.contact_id,
                    "identifiers": [str(each) for each in known.identifiers],
                }
                events += [each | {"contact": known.key} for each in journal.events.of_contact(entry.contact)]
            answer["events"] = [
                each | {"at": when(each["at"]), "detail": json.loads(each["detail"])}
                for each in sorted(events, key=lambda each: int(each["seq"]))
            ]
            say(answer) if as_json else _print(answer)


def _print(answer: dict[str, Any]) -> None:
    route = f" by {answer['route']}" if answer["route"] else ""
    click.echo(plain(f"receipt {answer['number']} of store {answer['store']}: {answer['state']}{route}"))
    for name in ("id", "trace_id", "created", "total", "currency", "document", "place", "file", "reason"):
        if answer[name]:
            click.echo(f"  {name}: {plain(answer[name])}")
    if "contact" in answer:
        contact = answer["contact"]
        click.echo(
            f"  contact: {plain(contact['contact_id']) or 'id not known yet'} ({', '.join(contact['identifiers'])})"
        )
    for event in answer["events"]:
        who = "contact: " if "contact" in event else ""
        detail = ", ".join(f"{key} {plain(value)}" for key, value in event["detail"].items() if key != "due")
        click.echo(f"  {event['at']}  {event['step']:<9}  {who}{event['what']}" + (f" ({detail})" if detail else ""))

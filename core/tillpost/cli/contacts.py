"""`tillpost contacts`: known and pending contacts, and conflicts of their keys."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from tillpost.cli.output import print_rows, print_table
from tillpost.cli.pipelines import journal_command
from tillpost.clock import SystemClock
from tillpost.errors import UsageError
from tillpost.journal import Journal
from tillpost.terminal import answer, counted, say, when

_GUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")


@click.group("contacts")
def command() -> None:
    """Contacts without personal data: identifiers are shown by kind and digest.

    \b
    Examples:
      tillpost contacts list
      tillpost contacts conflicts
      tillpost contacts resolve c0f3a9d2b7e61548 --use 6b1c9c1e-6f0a-4c55-9f6e-6d6f1c0f7a10
    """


@command.command("list")
@journal_command
def list_(journal: Journal, as_json: bool) -> None:
    """List them, with the names of fields that an import did not save.

    \b
    Example:
      tillpost contacts list --json
    """
    print_rows(_rows(journal, ""), _COLUMNS, as_json)


@command.command("pending")
@journal_command
def pending(journal: Journal, as_json: bool) -> None:
    """List those created by file without contactId yet, and those with fields that an import did not save.

    \b
    Example:
      tillpost contacts pending
    """
    rows = [each for each in _rows(journal, "") if each["state"] == "pending" or each["unsaved"]]
    print_rows(rows, _COLUMNS, as_json)


@command.command("conflicts")
@journal_command
def conflicts(journal: Journal, as_json: bool) -> None:
    """List contacts whose keys lead to several contacts of Engage, or have several cards; exit code 1 for any.

    \b
    Example:
      tillpost contacts conflicts --json
    """
    rows = _rows(journal, "conflict")
    for each in rows:
        each["reason"] = each["conflict"]["reason"]
        each["candidates"] = each["conflict"]["found"]
        if as_json:
            say({name: each[name] for name in ("key", "reason", "candidates", "identifiers", "seen_at")})
    joined: list[dict[str, Any]] = [
        {
            "key": key,
            "reason": f"joined people who have cards of their own; tillpost contacts separate {key}",
            "cards": cards,
        }
        for key, cards in journal.contacts.joined().items()
    ]
    for each in joined if as_json else ():
        say(each)
    if not as_json:
        shown = [
            each | {"candidates": " ".join(f"{kind}:{found or '?'}" for kind, found in each["candidates"].items())}
            for each in rows
        ]
        shown += [
            each | {"candidates": " ".join(f"{count} of {kind}" for kind, count in each["cards"].items())}
            for each in joined
        ]
        print_table(shown, ["key", "candidates", "reason"])
    sys.exit(1 if rows or joined else 0)


@command.command("resolve")
@click.argument("key")
@click.option("--use", metavar="CONTACTID", required=True, help="The contactId of the right contact in Engage.")
@journal_command
def resolve(journal: Journal, key: str, use: str, as_json: bool) -> None:
    """Name the right contact; the receipts held for the conflict are delivered.

    \b
    Example:
      tillpost contacts resolve c0f3a9d2b7e61548 --use 6b1c9c1e-6f0a-4c55-9f6e-6d6f1c0f7a10
    """
    contact_id = use.strip()
    if not contact_id:
        raise UsageError("--use is empty; name the contactId of the right contact")
    receipts = journal.contact_lookups.resolve_conflict(key, contact_id, SystemClock().time())
    text = f"{key}: {contact_id}, {counted(receipts, 'receipt')} released"
    answer(as_json, {"key": key, "contact_id": contact_id, "receipts": receipts}, text)


@command.command("recheck")
@click.argument("contact_ids", nargs=-1, metavar="[CONTACTID]…")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text that names contactIds, such as a contact export of Engage.",
)
@journal_command
def recheck(journal: Journal, contact_ids: tuple[str, ...], files: tuple[Path, ...], as_json: bool) -> None:
    """Ask Engage about these contactIds before they are used again: something may have been merged or erased.

    \b
    Examples:
      tillpost contacts recheck 6b1c9c1e-6f0a-4c55-9f6e-6d6f1c0f7a10
      tillpost contacts recheck --file 20261124091500_0_members.xml
    """
    named = {each.strip() for each in contact_ids}
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as lines:
            named.update(found for line in lines for found in _GUID.findall(line))
    if not named:
        raise UsageError("no contactId is named; give some, or a --file in which they stand")
    known = journal.contacts.doubt(sorted(named), "named by `tillpost contacts recheck`", SystemClock().time())
    text = f"{counted(len(known), 'contact')} will be asked about before the next use; named: {len(named)}"
    answer(as_json, {"named": len(named), "known": len(known), "keys": sorted(known)}, text)


@command.command("separate")
@click.argument("key")
@journal_command
def separate(journal: Journal, key: str, as_json: bool) -> None:
    """Make a contact of each card of a contact in which an earlier version joined several people.

    Each is looked up in Engage by its own card; receipts that wait go with it, what was delivered stays.

    \b
    Example:
      tillpost contacts separate c0f3a9d2b7e61548
    """
    added = journal.contacts.separate(key, SystemClock().time())
    answer(as_json, {"key": key, "added": added}, f"{key}: {counted(len(added), 'contact')} added: {', '.join(added)}")


def _rows(journal: Journal, state: str) -> list[dict[str, Any]]:
    rows = [each for each in journal.contacts.all() if state in ("", each["state"])]
    return [
        each
        | {
            "seen_at": when(each["seen_at"]),
            "learnt_at": when(each["learnt_at"]),
            "confirmed_at": when(each["confirmed_at"]),
        }
        for each in rows
    ]


_COLUMNS = ["key", "state", "contact_id", "origin", "identifiers", "unsaved", "learnt_at"]

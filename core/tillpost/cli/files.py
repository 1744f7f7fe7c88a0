"""`tillpost files`: the fallback files."""

from __future__ import annotations

from typing import Any

import click

from tillpost.cli.output import print_rows, print_table
from tillpost.cli.pipelines import journal_command
from tillpost.clock import SystemClock
from tillpost.errors import UsageError
from tillpost.journal import OPEN_FILES, FileEntry, FileState, Journal
from tillpost.terminal import answer, plain, say, when


@click.group("files")
def command() -> None:
    """The fallback files: list, show, resend.

    \b
    Examples:
      tillpost files list
      tillpost files show 20261124101500_10000-3f9a11c2_transactions.xml
      tillpost files resend 20261124101500_10000-3f9a11c2_transactions.xml
    """


@command.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those not confirmed yet.")
@journal_command
def list_(journal: Journal, only_open: bool, as_json: bool) -> None:
    """List the files in the order in which they are transferred.

    \b
    Examples:
      tillpost files list
      tillpost files list --open --json
    """
    standing = journal.file_states.in_states(*(OPEN_FILES if only_open else FileState))
    rows = (_row(journal.files.get(each.name)) for each in standing)  # one at a time: each has its ids
    print_rows(rows, ["name", "kind", "rows", "first_at", "last_at", "state", "reason"], as_json)


@command.command("show")
@click.argument("name")
@journal_command
def show(journal: Journal, name: str, as_json: bool) -> None:
    """Show the manifest of one file: checksum, times, and its receipts or contacts with their state.

    \b
    Example:
      tillpost files show 20261124101500_10000-3f9a11c2_transactions.xml
    """
    entry = _entry(journal, name)
    answer = _row(entry) | {"path": str(entry.file.path), "size": entry.file.size}
    answer["exists"] = entry.file.path.exists()
    contents = _contents(journal, entry)
    if as_json:
        say(answer | {"contents": contents})
        return
    for key, value in answer.items():
        shown = ("yes" if value else "no") if isinstance(value, bool) else "" if value is None else value
        click.echo(f"{key}: {plain(shown)}")
    click.echo("")
    print_table(contents, ["id", "state"])


@command.command("resend")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@journal_command
def resend(journal: Journal, names: tuple[str, ...], as_json: bool) -> None:
    """Send files again; Engage ignores what it has.

    \b
    Example:
      tillpost files resend 20261124101500_10000-3f9a11c2_transactions.xml
    """
    wanted = [_entry(journal, name) for name in names]
    for entry in wanted:
        is_confirmed = entry.state not in OPEN_FILES
        if is_confirmed or not entry.file.path.exists():
            why = "it is confirmed, and was removed" if is_confirmed else f"{entry.file.path} is gone"
            raise UsageError(f"{entry.file.name} cannot be sent again: {why}")
    for entry in wanted:
        journal.files.resend(entry.file.name, SystemClock().time())
        result = "will be sent again"
        answer(as_json, {"name": entry.file.name, "result": result}, f"{entry.file.name}: {result}")


def _entry(journal: Journal, name: str) -> FileEntry:
    if name in {each.name for each in journal.file_states.in_states(*FileState)}:
        return journal.files.get(name)
    raise UsageError(f"no fallback file {name} in the journal; `tillpost files list` lists them")


def _contents(journal: Journal, entry: FileEntry) -> list[dict[str, str]]:
    if entry.file.kind == "receipts":
        found = {key: journal.receipts.get(key) for key in entry.file.keys}
        return [{"id": key, "state": str(each.state) if each else ""} for key, each in found.items()]
    ids = {key: journal.contacts.get(key).contact_id for key in entry.file.keys}
    return [{"id": key, "state": "known" if contact_id else "pending"} for key, contact_id in ids.items()]


def _row(entry: FileEntry) -> dict[str, Any]:
    return {
        "name": entry.file.name,
        "kind": entry.file.kind,
        "rows": entry.rows,
        "first_at": entry.first_at,
        "last_at": entry.last_at,
        "sha256": entry.file.sha256,
        "state": str(entry.state),
        "reason": entry.reason,
        **{f"{step}_at": when(getattr(entry, f"{step}_at")) for step in _STEPS},
    }


_STEPS = ("written", "uploaded", "consumed", "confirmed", "alerted")

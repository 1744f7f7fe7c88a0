"""`tillpost spool`: the files of outages."""

from __future__ import annotations

from typing import Any

import click

from tillpost.cli.opened import as_json, journal_of, say, table, when, which
from tillpost.clock import SystemClock
from tillpost.errors import UsageError


@click.command("spool")
@click.option("--resend", metavar="NAME", help="Send this file once more; Engage ignores what it has.")
@which
@as_json
@click.pass_obj
def command(file: Any, resend: str | None, pipeline: str | None, as_json: bool) -> None:
    """List the files of outages, in the order in which they are transferred.

    \b
    Examples:
      tillpost spool
      tillpost spool --resend 20261124101500_1_transactions.xml
    """
    with journal_of(file, pipeline) as journal:
        entries = journal.files.all()
        if resend is not None:
            wanted = next((entry for entry in entries if entry.file.name == resend), None)
            if wanted is None or not wanted.file.path.exists():
                raise UsageError(f"the spool has no file {resend}; `tillpost spool` lists what it has")
            journal.files.resend(resend, SystemClock().time())
            entries = journal.files.all()
    rows = [
        {
            "name": entry.file.name,
            "kind": entry.file.kind,
            "rows": entry.rows,
            "sha256": entry.file.sha256,
            "state": str(entry.state),
            "reason": entry.reason,
            "written_at": when(entry.written_at),
            "uploaded_at": when(entry.uploaded_at),
            "consumed_at": when(entry.consumed_at),
            "confirmed_at": when(entry.confirmed_at),
        }
        for entry in entries
    ]
    if as_json:
        for each in rows:
            say(each)
    else:
        table(rows, ["name", "kind", "rows", "state", "written_at", "confirmed_at", "reason"])

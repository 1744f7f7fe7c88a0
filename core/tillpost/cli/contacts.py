"""`tillpost contacts`: who is known, and whose id is still to be learnt."""

from __future__ import annotations

from typing import Any

import click

from tillpost.cli.opened import as_json, journal_of, say, table, when, which


@click.command("contacts")
@click.option("--pending", is_flag=True, help="Only those created by file whose id is not learnt yet.")
@which
@as_json
@click.pass_obj
def command(file: Any, pending: bool, pipeline: str | None, as_json: bool) -> None:
    """List contacts without personal data: identifiers are shown by kind and digest.

    \b
    Examples:
      tillpost contacts
      tillpost contacts --pending --json
    """
    with journal_of(file, pipeline) as journal:
        rows = [each for each in journal.contacts.all() if not pending or each["state"] == "pending"]
    for each in rows:
        each["seen_at"], each["learnt_at"] = when(each["seen_at"]), when(each["learnt_at"])
        if as_json:
            say(each)
    if not as_json:
        table([each | {"identifiers": " ".join(each["identifiers"])} for each in rows],
              ["key", "state", "contact_id", "origin", "identifiers", "learnt_at"])  # fmt: skip

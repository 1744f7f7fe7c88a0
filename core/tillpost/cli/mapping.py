"""`tillpost mapping`: the mappings of a pipeline, and the release of a new one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from tillpost.cli.pipelines import journal_command
from tillpost.clock import SystemClock
from tillpost.errors import UsageError
from tillpost.journal import Journal, KnownMapping
from tillpost.terminal import answer, counted, plain, say, when


@click.group("mapping")
def command() -> None:
    """The mappings that make payloads: show which were used and when, release a new one.

    \b
    Examples:
      tillpost mapping show
      tillpost mapping release
    """


@command.command("show")
@journal_command
def show(journal: Journal, as_json: bool) -> None:
    """Show the mappings used so far, the latest last; exit code 1 when it waits for its release.

    \b
    Example:
      tillpost mapping show --json
    """
    standing = journal.mappings.awaiting_release()
    before: Mapping[str, Any] = {}
    for known in journal.mappings.all():
        row = _row(journal, known, known == standing)
        say(row) if as_json else _print(row, before)
        before = known.what
    sys.exit(1 if standing else 0)


@command.command("release")
@click.argument("fingerprint", required=False)
@journal_command
def release(journal: Journal, fingerprint: str | None, as_json: bool) -> None:
    """Release a new mapping: the receipts held for it, and those behind them, are sent.

    With FINGERPRINT only that one, not a newer one. What is sent then cannot be taken back from Engage.

    \b
    Examples:
      tillpost mapping release
      tillpost mapping release 3f2a9c01b7de
    """
    standing = journal.mappings.awaiting_release()
    if fingerprint is None:
        if standing is None:
            raise UsageError("no mapping waits for its release")
        fingerprint = standing.fingerprint
    count = journal.mappings.release(fingerprint, SystemClock().time())
    text = f"mapping {fingerprint} released, with {counted(count, 'held receipt')}"
    answer(as_json, {"released": fingerprint, "receipts": count}, text)


def _row(journal: Journal, known: KnownMapping, standing: bool) -> dict[str, Any]:
    return {
        "fingerprint": known.fingerprint,
        **{name: when(getattr(known, name)) for name in ("first_at", "since", "released_at")},
        "waits": standing,
        "held": journal.mappings.held(known.fingerprint),
        **known.what,
    }


def _print(row: dict[str, Any], before: Mapping[str, Any]) -> None:
    state = f"released {row['released_at']}" if row["released_at"] else "not released"
    if row["waits"]:
        state = f"WAITS FOR ITS RELEASE, {counted(row['held'], 'receipt')} held"
    click.echo(f"{row['fingerprint']}  since {row['since']}  {state}")
    for change in changes(before, row):
        click.echo(plain(f"  {change}"))


def changes(before: Any, after: Any) -> list[str]:
    """What differs between two mappings, a line each; of the first mapping everything."""
    old, new = _flat(before), _flat(after)
    changed = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    was = {key: f"{old.get(key, '(none)')} -> " if before else "" for key in changed}
    return [f"{key}: {was[key]}{new.get(key, '(none)')}" for key in changed]


def _flat(what: Any) -> dict[str, str]:
    flat = {key: str(what[key]) for key in ("tillpost", "receipt_id", "anonymous") if what.get(key) is not None}
    for use in what.get("uses", ()):
        name = f"{use['slot']} {use['plugin']}"
        flat[name] = f"{use['package']} {use['version']}"
        flat |= {f"{name}: {key}": str(value) for key, value in (use["settings"] or {}).items()}
    return flat

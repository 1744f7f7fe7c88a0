"""`tillpost journal`: care of the journal."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from tillpost.cli.backup import backup, restore
from tillpost.cli.output import json_option, print_table
from tillpost.cli.pipelines import pipeline_option, select_pipeline
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.errors import UsageError
from tillpost.journal import RunLock
from tillpost.journal.sqlite import doctor
from tillpost.terminal import counted, plain, say, when


@click.group("journal")
def command() -> None:
    """Examine, measure, export, repair, compact, back up and restore the journal of a pipeline. Needs no plugin.

    \b
    Examples:
      tillpost journal verify
      tillpost journal repair --dry-run
      tillpost journal backup /var/backups/tillpost
    """


for each in (backup, restore):
    command.add_command(each)


def _folder(file: Any, pipeline: str | None) -> Path:
    return select_pipeline(load(file, plugins=False), pipeline).state


def _progress(text: str) -> None:
    """Show each step on a terminal; nothing for scripts and logs."""
    if sys.stderr.isatty():
        click.echo(f"{text} …", err=True)


@command.command("verify")
@pipeline_option
@json_option
@click.pass_obj
def verify(file: Any, pipeline: str | None, as_json: bool) -> None:
    """Examine every page, row and checksum, and the fallback files. Exit code 1 when something is damaged.

    Changes nothing, and works beside a `run`.

    \b
    Examples:
      tillpost journal verify
      tillpost journal verify --pipeline stores --json
    """
    folder = _folder(file, pipeline)
    found = doctor.verify(folder, _progress)
    if as_json:
        say(
            {
                "fine": found.fine, "receipts": found.receipts, "schema": found.schema, "newest_schema": found.newest,
                "pages": found.pages, "quarantined": found.quarantined, "sqlite": found.sqlite,
                "protection": found.protection, "folder": found.folder,
                "damages": [damage.as_dict() | {"note": damage.note} for damage in found.damages],
            }
        )  # fmt: skip
        sys.exit(0 if found.fine else 1)
    click.echo(found.protection or f"SQLite {found.sqlite} has the WAL-reset bug: `pip install --upgrade apsw`")
    if found.schema < found.newest:
        click.echo(f"schema {found.schema}, upgraded to {found.newest} when the journal is next opened")
    for line in [found.folder, *found.pages]:
        if line:
            click.echo(f"damaged: {plain(line)}")
    _list(found.damages)
    if found.quarantined:
        click.echo(f"{counted(found.quarantined, 'row')} in the quarantine; `tillpost journal export` has them")
    if found.fine:
        click.echo(f"{folder}: fine ({counted(found.receipts, 'receipt')})")
    else:
        click.echo(
            "`tillpost journal repair --dry-run` shows what a repair would do, `tillpost journal repair` repairs it"
        )
    sys.exit(0 if found.fine else 1)


def _list(damages: list[doctor.Damage]) -> None:
    for damage in damages:
        whose = f" (receipt {damage.receipt})" if damage.receipt else ""
        word = "note" if damage.note else "damaged"
        click.echo(
            plain(f"{word}: {damage.table} {damage.row}{whose}: {damage.reason}; lost: {damage.lost}; {damage.remedy}")
        )


@command.command("repair")
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would be done.")
@pipeline_option
@json_option
@click.pass_obj
def repair(file: Any, dry_run: bool, pipeline: str | None, as_json: bool) -> None:
    """Repair damaged rows, or move them to the quarantine. Exit code 1 when something was lost.

    The damaged journal stays beside the repaired one, as journal.db.damaged-TIME. Not while a `run` works on it.

    \b
    Examples:
      tillpost journal repair --dry-run
      tillpost journal repair --json
    """
    folder = _folder(file, pipeline)
    lock = None if dry_run else RunLock(folder)
    try:
        done = doctor.repair(folder, SystemClock().time(), dry_run, _progress)
    finally:
        if lock is not None:
            lock.release()
    if as_json:
        for damage in done.damages:
            say(damage.as_dict())
        say(
            {
                "damages": len(done.damages), "pages": len(done.pages), "receipts": done.receipts, "dry_run": dry_run,
                "kept": str(done.kept) if done.kept else None,
            }
        )  # fmt: skip
    else:
        _list(done.damages)
        if not done.damages and not done.pages:
            click.echo(f"{folder}: nothing to repair ({counted(done.receipts, 'receipt')})")
        elif done.kept is not None:
            click.echo(f"repaired: {counted(done.receipts, 'receipt')}; the damaged journal is kept as {done.kept}")
        else:
            click.echo(f"a repair would keep {counted(done.receipts, 'receipt')}; nothing was changed")
    sys.exit(1 if done.damages or done.pages else 0)


@command.command("compact")
@pipeline_option
@json_option
@click.pass_obj
def compact(file: Any, pipeline: str | None, as_json: bool) -> None:
    """Rewrite the journal without its free pages. Needs room for a copy; not while a `run` works on it.

    \b
    Examples:
      tillpost journal compact
      tillpost journal compact --pipeline stores --json
    """
    folder = _folder(file, pipeline)
    lock = RunLock(folder)
    try:
        done = doctor.compact(folder, _progress)
    finally:
        lock.release()
    if as_json:
        say({"before": done.before, "after": done.after})
    else:
        click.echo(f"{folder}: {done.before} bytes before, {done.after} bytes now")


@command.command("export")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="A new file, readable by its owner only.")
@pipeline_option
@click.pass_obj
def export(file: Any, to: Path | None, pipeline: str | None) -> None:
    """Write every readable row as JSON lines, personal data included: for a rescue by other means.

    From a damaged journal too. Exit code 1 when something could not be read.

    \b
    Examples:
      tillpost journal export --to rescue.jsonl
      tillpost journal export --pipeline stores
    """
    folder = _folder(file, pipeline)
    whole = True
    target = sys.stdout.buffer if to is None else _new(to)
    try:
        for row in doctor.export(folder, _progress):
            whole = whole and row.get("whole", True)
            target.write(json.dumps(row).encode() + b"\n")  # ASCII: lone surrogates and controls as escapes
        target.flush()
    finally:
        if to is not None:
            target.close()
    if to is not None:
        click.echo(f"{to}: written; it holds personal data", err=True)
    sys.exit(0 if whole else 1)


def _new(path: Path) -> Any:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise UsageError(f"{path} exists; name a new file") from None


@command.command("stats")
@pipeline_option
@json_option
@click.pass_obj
def stats(file: Any, pipeline: str | None, as_json: bool) -> None:
    """Show sizes, rows, growth, and SQLite's settings.

    \b
    Example:
      tillpost journal stats --json
    """
    found = doctor.stats(_folder(file, pipeline), SystemClock().time())
    found["oldest_open"] = when(found["oldest_open"])
    if as_json:
        say(found)
        return
    click.echo(f"{found['file']}: schema {found['schema']}, {found['protection'] or 'no protection'}")
    for title in ("bytes", "receipts", "growth_a_day", "settings"):
        click.echo(
            f"{title.replace('_', ' ')}: " + ", ".join(f"{name} {value}" for name, value in found[title].items())
        )
    click.echo(f"oldest open receipt: {found['oldest_open'] or 'none'}")
    print_table([{"table": name, "rows": rows} for name, rows in found["rows"].items()], ["table", "rows"])

"""`tillpost journal`: care of the journal."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from tillpost.cli.backup import backup, restore
from tillpost.cli.output import print_table
from tillpost.cli.pipelines import pipeline_command, pipeline_option, select_pipeline
from tillpost.cli.recover import recover
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.journals import existing_journal, remember
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import UsageError
from tillpost.journal import RunLock
from tillpost.journal.sqlite import doctor
from tillpost.terminal import answer, counted, plain, say, when


@click.group("journal")
def command() -> None:
    """Examine, measure, export, repair, compact, back up and restore the journal of a pipeline. Needs no plugin.

    \b
    Examples:
      tillpost journal verify
      tillpost journal repair --dry-run
      tillpost journal backup /var/backups/tillpost
    """


for each in (backup, restore, recover):
    command.add_command(each)


def _progress(text: str) -> None:
    """Show each step on a terminal; nothing for scripts and logs."""
    if sys.stderr.isatty():
        click.echo(f"{text} …", err=True)


@command.command("verify")
@pipeline_command
def verify(chosen: PipelineConfig, as_json: bool) -> None:
    """Examine every page, row and checksum, and the fallback files. Exit code 1 when something is damaged.

    Changes nothing, and works beside a `run`.

    \b
    Examples:
      tillpost journal verify
      tillpost journal verify --pipeline stores --json
    """
    found = doctor.verify(chosen.state, _progress)
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
        click.echo(f"{chosen.state}: fine ({counted(found.receipts, 'receipt')})")
    else:
        click.echo(
            "`tillpost journal repair --dry-run` shows what a repair would do, `tillpost journal repair` repairs it"
        )
    sys.exit(0 if found.fine else 1)


def _list(damages: list[doctor.Damage]) -> None:
    for damage in damages:
        whose = f" (receipt {damage.receipt})" if damage.receipt else ""
        word = "note" if damage.note else "damaged"
        where, what = f"{damage.table} {damage.row}{whose}", f"{damage.reason}; lost: {damage.lost}; {damage.remedy}"
        click.echo(plain(f"{word}: {where}: {what}"))


@command.command("repair")
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would be done.")
@pipeline_command
def repair(chosen: PipelineConfig, dry_run: bool, as_json: bool) -> None:
    """Repair damaged rows, or move them to the quarantine. Exit code 1 when something was lost.

    The damaged journal stays beside the repaired one, as journal.db.damaged-TIME. Not while a `run` works on it.

    \b
    Examples:
      tillpost journal repair --dry-run
      tillpost journal repair --json
    """
    with ExitStack() as stack:
        if not dry_run:
            stack.callback(RunLock(chosen.state).release)
        done = doctor.repair(chosen.state, SystemClock().time(), dry_run, _progress)
        if done.kept is not None:
            remember(chosen)
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
            click.echo(f"{chosen.state}: nothing to repair ({counted(done.receipts, 'receipt')})")
        elif done.kept is not None:
            click.echo(f"repaired: {counted(done.receipts, 'receipt')}; the damaged journal is kept as {done.kept}")
        else:
            click.echo(f"a repair would keep {counted(done.receipts, 'receipt')}; nothing was changed")
    sys.exit(1 if done.damages or done.pages else 0)


@command.command("compact")
@pipeline_command
def compact(chosen: PipelineConfig, as_json: bool) -> None:
    """Rewrite the journal without its free pages. Needs room for a copy; not while a `run` works on it.

    \b
    Examples:
      tillpost journal compact
      tillpost journal compact --pipeline stores --json
    """
    with ExitStack() as stack:
        stack.callback(RunLock(chosen.state).release)
        done = doctor.compact(chosen.state, _progress)
    text = f"{chosen.state}: {done.before} bytes before, {done.after} bytes now"
    answer(as_json, {"before": done.before, "after": done.after}, text)


@command.command("losses")
@click.option("--settle", is_flag=True, help="They have been dealt with: do not show them any more.")
@pipeline_command
def losses(chosen: PipelineConfig, settle: bool, as_json: bool) -> None:
    """List what is known to be missing in the journal, with the next step. Exit code 1 when something is.

    \b
    Examples:
      tillpost journal losses
      tillpost journal losses --settle --json
    """
    with closing(existing_journal(chosen)) as journal:
        found = journal.losses.open()
        rows = [{"at": when(loss.at), "what": loss.what, "next_step": loss.next_step} for loss in found]
        if settle:
            journal.losses.settle(SystemClock().time())
    for row in rows:
        answer(as_json, row, f"{row['at']}: {row['what']}; {row['next_step']}")
    if not as_json and (settle or not rows):
        click.echo(
            f"{counted(len(rows), 'loss', 'losses')} settled" if settle else f"{chosen.state}: nothing is missing"
        )
    sys.exit(1 if rows and not settle else 0)


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
    folder, whole = select_pipeline(load(file, plugins=False), pipeline).state, True
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
@pipeline_command
def stats(chosen: PipelineConfig, as_json: bool) -> None:
    """Show sizes, rows, growth, and SQLite's settings.

    \b
    Example:
      tillpost journal stats --json
    """
    found = doctor.stats(chosen.state, SystemClock().time())
    found["oldest_open"] = when(found["oldest_open"])
    if as_json:
        say(found)
        return
    click.echo(f"{found['file']}: schema {found['schema']}, {found['protection'] or 'no protection'}")
    for title in ("bytes", "receipts", "growth_a_day", "settings"):
        figures = ", ".join(f"{name} {value}" for name, value in found[title].items())
        click.echo(f"{title.replace('_', ' ')}: {figures}")
    click.echo(f"oldest open receipt: {found['oldest_open'] or 'none'}")
    print_table([{"table": name, "rows": rows} for name, rows in found["rows"].items()], ["table", "rows"])

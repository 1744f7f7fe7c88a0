"""`tillpost stranded`: receipts that wait in state folders in which no pipeline of the file works."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.output import json_option, print_rows
from tillpost.cli.pipelines import select_pipeline
from tillpost.clock import SystemClock
from tillpost.compose.config import Config, load
from tillpost.compose.journals import open_journal
from tillpost.compose.stranded import Stranded, find_stranded, names_in
from tillpost.errors import UsageError
from tillpost.flow.upkeep.move_receipts import move_receipts
from tillpost.journal import Journal, RunLock
from tillpost.model import Customer
from tillpost.terminal import answer, counted, plain


@click.group("stranded")
def command() -> None:
    """Receipts of pipelines that were taken out of the file, or renamed: list them, move them to another pipeline.

    \b
    Examples:
      tillpost stranded list
      tillpost stranded move old-shop --to shop
    """


@command.command("list")
@json_option
@click.pass_obj
def list_(file: Any, as_json: bool) -> None:
    """List what waits, by the pipeline it was accepted by; exit code 1 when anything does.

    \b
    Example:
      tillpost stranded list --json
    """
    found = _find(load(file, plugins=False))
    rows = (attrs.asdict(each) | {"folder": str(each.folder)} for each in found)
    print_rows(rows, ["name", "waiting", "held", "files", "folder", "problem"], as_json)
    sys.exit(1 if found else 0)


@command.command("move")
@click.argument("name")
@click.option("--to", required=True, metavar="PIPELINE", help="The pipeline of the file that takes them over.")
@json_option
@click.pass_obj
def move(file: Path, name: str, to: str, as_json: bool) -> None:
    """Move the receipts that wait, and the held ones, to another pipeline, under their ids.

    What may have left is looked up in the history first. Files that were not uploaded are removed, their receipts go by
    API. What stands beside a receipt of its id stays, and the exit code is 1; put its pipeline back to decide on it.

    \b
    Example:
      tillpost stranded move old-shop --to shop
    """
    config = load(file, plugins=False)
    target = select_pipeline(config, to)
    source = next((each for each in _find(config) if each.name == name), None)
    if source is None:
        raise UsageError(f"nothing is stranded under the name {name!r}; `tillpost stranded list` shows what is")
    anonymous = Customer(identifiers=(target.anonymous,)) if target.anonymous else None
    confirm_after, lock = target.retry.confirm_after.total_seconds(), RunLock(source.folder)
    try:
        with closing(Journal(source.folder)) as old, closing(open_journal(target, SystemClock().time())) as new:
            new.use_identifier_rules(target.identifier_rules())
            done = move_receipts(old, new, to, anonymous, confirm_after, SystemClock().time())
    finally:
        lock.release()
    text = f"{name}: {counted(done.moved, 'receipt')} moved to {to}"
    text += "".join(f"; {counted(count, 'receipt')} left in {source.folder}: {why}" for why, count in done.left.items())
    answer(as_json, {"name": name, "to": to, "moved": done.moved, "left": dict(done.left)}, plain(text))
    sys.exit(1 if done.left else 0)


def _find(config: Config) -> list[Stranded]:
    return find_stranded(config, names_in(config))

"""`tillpost replay`: send receipts of a store's days again, after a plan was shown."""

from __future__ import annotations

import getpass
import os
import sys
from datetime import datetime
from typing import Any

import click

from tillpost.cli.output import json_option, print_rows
from tillpost.cli.pipelines import journal_command, opened_journal, pipeline_option, select_pipeline
from tillpost.cli.replay.carry import carry
from tillpost.cli.replay.shown import find, report, show_plan, show_replay
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.errors import UsageError
from tillpost.flow.upkeep.replay_plan import plan
from tillpost.journal import Journal, ReplayOrder
from tillpost.terminal import counted, say

_COLUMNS = ["id", "made_at", "who", "store", "till", "from", "to", "by", "state", "chosen", "put_back", "reason"]
_BULK = 1000
"""Receipts above which a replay by API recommends files."""


class _Starting(click.Group):
    """`start` may be omitted: its options then follow at once."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `start` before options that are not the group's own."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group("replay", cls=_Starting)
def command() -> None:
    """Send receipts of a store's days again. `start` may be omitted.

    \b
    Examples:
      tillpost replay start --store 12 --from 2026-11-20 --to 2026-11-24 --reason "store was unknown to Engage"
      tillpost replay list
      tillpost replay show 3
    """


_date = click.DateTime(formats=["%Y-%m-%d"])


@command.command("start")
@click.option("--store", required=True, help="The store.")
@click.option("--till", default="", help="Only this till of it.")
@click.option("--from", "first", type=_date, required=True, help="The first business date, YYYY-MM-DD.")
@click.option("--to", "last", type=_date, required=True, help="The last business date.")
@click.option("--reason", required=True, help="Why; it stays in the timeline of each receipt.")
@click.option("--by", type=click.Choice(["api", "file"]), default="api", show_default=True, help="file: for history.")
@click.option("--unverified", is_flag=True, help="Also those accepted by API and not verified: look them up.")
@click.option("--dry-run", is_flag=True, help="Show the plan and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.option("--detach", is_flag=True, help="Do not wait; `tillpost run` carries it out.")
@pipeline_option
@json_option
@click.pass_obj
def start(
    file: Any,
    store: str,
    till: str,
    first: datetime,
    last: datetime,
    reason: str,
    by: str,
    unverified: bool,
    dry_run: bool,
    yes: bool,
    detach: bool,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Show what a replay would do, ask, and carry it out with less priority than live traffic.

    A receipt that Engage has is not sent; ids stay the same, so none is there twice. A running `run` does the work and
    this command shows the progress; without one this command does it. Exit code 1 when receipts are held, or when it
    was stopped before all were settled.

    \b
    Examples:
      tillpost replay start --store 12 --from 2026-11-24 --to 2026-11-24 --reason "held for the wrong key" --dry-run
      tillpost replay start --store 12 --from 2025-01-01 --to 2026-11-23 --reason "history" --by file --yes
    """
    if not reason.strip():
        raise UsageError("--reason is empty; say why, for the audit trail")
    if last < first:
        raise UsageError(f"--to {_iso(last)} is before --from {_iso(first)}")
    config = select_pipeline(load(file, plugins=False), pipeline)
    if by == "file" and not (config.has("fallback") and config.has("transfer")):
        raise UsageError(f"{file}: pipeline {config.name!r} has no `fallback` and `transfer`; --by file needs both")
    with opened_journal(file, pipeline) as journal:
        now = SystemClock().time()
        order = ReplayOrder(
            reason=reason.strip(), who=_who(), by=by, store=store, till=till,
            first=_iso(first), last=_iso(last), unverified=unverified, newest=journal.replay_candidates.newest(),
        )  # fmt: skip
        proposed = plan(journal, order, config.keep, config.anonymous is not None, now)
        show_plan(proposed, as_json, bulk=by == "api" and proposed.chosen > _BULK)
        if dry_run:
            return
        if not proposed.chosen:
            if not as_json:
                click.echo("nothing to send")
            return
        if not yes and not _agreed(proposed.chosen):
            sys.exit(1)
        number = journal.replays.start(order, proposed.json(), proposed.chosen, SystemClock().time())
        if detach:
            report(find(journal, number), as_json)
    if not detach:
        sys.exit(carry(file, pipeline, number, as_json))


@command.command("list")
@journal_command
def list_(journal: Journal, as_json: bool) -> None:
    """List every replay: who, why, and its progress.

    \b
    Example:
      tillpost replay list --json
    """
    print_rows(map(show_replay, journal.replays.all()), _COLUMNS, as_json)


@command.command("show")
@click.argument("number", type=int)
@journal_command
def show(journal: Journal, number: int, as_json: bool) -> None:
    """Show one: the order, the confirmed plan, and its receipts by state.

    \b
    Example:
      tillpost replay show 3
    """
    replay = find(journal, number)
    answer = show_replay(replay) | {"receipts": journal.replays.count_states(number), "plan": dict(replay.planned)}
    if as_json:
        say(answer)
        return
    for name, value in answer.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {_short(each)}" for key, each in value.items() if _short(each) not in ("0", ""))
        click.echo(f"{name}: {'' if value is None else value}")


@command.command("stop")
@click.argument("number", type=int)
@journal_command
def stop(journal: Journal, number: int, as_json: bool) -> None:
    """Put no more receipts back; those on their way go on. `resume` continues.

    \b
    Example:
      tillpost replay stop 3
    """
    _change(journal, number, "running", "stopped")
    report(find(journal, number), as_json)


@command.command("resume")
@click.argument("number", type=int)
@click.option("--detach", is_flag=True, help="Do not wait; `tillpost run` carries it out.")
@pipeline_option
@json_option
@click.pass_obj
def resume(file: Any, number: int, detach: bool, pipeline: str | None, as_json: bool) -> None:
    """Continue a stopped one, or one whose process has ended, where it was.

    \b
    Example:
      tillpost replay resume 3
    """
    with opened_journal(file, pipeline) as journal:
        if find(journal, number).state == "stopped":
            _change(journal, number, "stopped", "running")
        if detach:
            report(find(journal, number), as_json)
    if not detach:
        sys.exit(carry(file, pipeline, number, as_json))


def _change(journal: Journal, number: int, old: str, new: str) -> None:
    replay = find(journal, number)
    if replay.state != old:
        raise UsageError(f"replay {number} is {replay.state}, not {old}")
    journal.replays.set_state(number, old, new, SystemClock().time())


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("the input is not a terminal: add --yes to carry the plan out, or --dry-run to show it only")
    return click.confirm(f"Send {counted(count, 'receipt')} again?", err=True)


def _iso(day: datetime) -> str:
    return day.date().isoformat()


def _short(value: object) -> str:
    return str(value["count"]) if isinstance(value, dict) else str(value)


def _who() -> str:
    """The user of the operating system, and the one behind `sudo`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    behind = os.environ.get("SUDO_USER", "")
    return f"{behind} as {user}" if behind and behind != user else user

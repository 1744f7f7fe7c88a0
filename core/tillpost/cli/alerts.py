"""`tillpost alerts`: the alerts that stand, and a test of the channels."""

from __future__ import annotations

import sys
from typing import Any

import attrs
import click

from tillpost.alerts.standing import standing_alerts, watched
from tillpost.cli.output import json_option
from tillpost.cli.pipelines import read_each, ways_to_read
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import JournalError, UsageError
from tillpost.journal import Alert, Journal
from tillpost.terminal import answer, counted, plain, say, when

_RECENT = 20


@click.group("alerts", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the alerts that stand now and the last ones that are over, of every pipeline; exit code 1 when one stands.

    The rules are evaluated for the answer. When no `tillpost run` is at work, that is an alert itself.

    \b
    Examples:
      tillpost alerts
      tillpost alerts --json
      tillpost alerts test
    """
    if ctx.invoked_subcommand is not None:
        return
    count = 0
    config = load(ctx.obj, plugins=False)

    def read(pipeline: PipelineConfig, journal: Journal) -> _Stand:
        standing = standing_alerts(journal, watched(config, pipeline), SystemClock().time())
        alerts = journal.alerts
        return _Stand(standing, alerts.recent(_RECENT), alerts.unsent(), alerts.watched_at())

    for name, found in read_each(config.pipelines, read):
        stand = _Stand([_unreadable(name, found)]) if isinstance(found, JournalError) else found
        count += len(stand.standing)
        if as_json:
            for alert in (*stand.standing, *stand.recent):
                say({"pipeline": name, **_as_json(alert)})
        else:
            _print(name, stand)
    sys.exit(1 if count else 0)


@attrs.frozen
class _Stand:
    """The alerts of one pipeline, and the notices that are not sent: channel, attempts, reason."""

    standing: list[Alert]
    recent: list[Alert] = attrs.field(factory=list)
    unsent: list[tuple[str, int, str]] = attrs.field(factory=list)
    watched_at: float | None = None


def _unreadable(name: str, error: JournalError) -> Alert:
    return Alert(
        0,
        "unreadable",
        f"{name}: the journal cannot be read: {error}",
        "What waits there, and which alerts stand, nobody knows.",
        ways_to_read(name),
        SystemClock().time(),
        None,
    )


def _print(name: str, stand: _Stand) -> None:
    if not stand.standing:
        last = f", and by `tillpost run` at {when(stand.watched_at)}" if stand.watched_at else ""
        click.echo(f"{name}: no alert stands; the rules were evaluated now{last}")
    for alert in stand.standing:
        click.echo(plain(f"since {when(alert.raised_at)}: {alert.what}"))
        click.echo(plain(f"  {alert.means}"))
        click.echo(plain(f"  do: {alert.next_step}"))
    for alert in stand.recent:
        click.echo(plain(f"over since {when(alert.over_at)}: {alert.what}"))
    for channel, attempts, reason in stand.unsent:
        click.echo(plain(f"not sent by {channel} yet, {counted(attempts, 'attempt')} failed: {reason}"))


def _as_json(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.key,
        **{name: getattr(alert, name) for name in ("what", "means", "next_step")},
        "raised_at": when(alert.raised_at),
        "over_at": when(alert.over_at),
    }


@command.command("test")
@json_option
@click.pass_obj
def test(file: Any, as_json: bool) -> None:
    """Send a test notice by every channel; exit code 1 when one does not take it.

    \b
    Example:
      tillpost alerts test
    """
    from tillpost.alerts.channels import ChannelError, notice, send

    config = load(file)
    if not config.alerts.channels:
        raise UsageError(
            f"{config.shown}: no channel: add command, webhook or email to [alerts] (docs/operators/alerts.md)"
        )
    what = "This is a test of the alerts."
    alert = Alert(0, "test", what, "The channel works.", "No action needed.", SystemClock().time(), None)
    failed = False
    for channel in config.alerts.channels:
        reason = ""
        try:
            send(channel, config.alerts, notice("test", "test", alert))
        except ChannelError as error:
            failed, reason = True, str(error)
        record = {"channel": channel, "taken": not reason, "reason": reason}
        answer(as_json, record, f"{channel}: {reason or 'taken'}")
    sys.exit(1 if failed else 0)

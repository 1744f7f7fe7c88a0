"""`tillpost status`: how the line stands."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

import click

from tillpost.alerts.rules import standing_alerts
from tillpost.cli.output import json_option
from tillpost.compose.config import load
from tillpost.flow.breaker import is_reachable
from tillpost.journal import Journal
from tillpost.reports.labels import CONTACTS, ROUTES
from tillpost.reports.timeline import event_detail
from tillpost.terminal import counted, plain, say, when


@click.command("status")
@json_option
@click.pass_obj
def command(file: Any, as_json: bool) -> None:
    """Show every pipeline: destination, receipts by state, fallback files, contacts, alerts.

    Exit code 1 when something is held, an alert stands or a new mapping waits for its release.

    \b
    Examples:
      tillpost status
      tillpost status --json
    """
    config = load(file, plugins=False)
    answer: dict[str, Any] = {"pipelines": {}}
    for pipeline in config.pipelines:
        with closing(Journal(pipeline.state)) as journal:
            answer["pipelines"][pipeline.name] = _stand(journal)
    if as_json:
        say(answer)
    else:
        for name, stand in answer["pipelines"].items():
            _print(name, stand)
    stands = answer["pipelines"].values()
    sys.exit(1 if any(stand["counts"]["held"] or stand["alerts"] or stand["mapping"] for stand in stands) else 0)


def _stand(journal: Journal) -> dict[str, Any]:
    destination = journal.destination.get()
    return {
        "state": destination.state,
        "reason": destination.reason,
        "since": when(destination.since or None),
        "unreachable_since": when(destination.unreachable_since),
        "next_check_at": None if is_reachable(destination) else when(destination.probe_due),
        "counts": journal.receipts.counts(),
        "delivered": journal.receipts.routes(),
        "skipped": journal.receipts.skipped(),
        "ignored": journal.receipts.ignored(),
        "contacts": journal.contacts.counts(),
        "files": journal.file_states.counts(),
        "mapping": _mapping(journal),
        "removed": journal.retention.count_removed(),
        "alerts": [
            {"alert": alert.key, "since": when(alert.raised_at), "what": alert.what, "next_step": alert.next_step}
            for alert in standing_alerts(journal)
        ],
        "next_attempt_at": when(journal.receipts.next_due()),
        "history": [
            {"at": when(at), "state": state, "reason": event_detail(detail).get("reason", "")}
            for at, state, detail in journal.destination.history()
        ],
    }


def _mapping(journal: Journal) -> dict[str, Any] | None:
    """The mapping the line waits with until a person releases it."""
    standing = journal.mappings.awaiting_release()
    if standing is None:
        return None
    held = journal.mappings.held(standing.fingerprint)
    return {"fingerprint": standing.fingerprint, "since": when(standing.since), "held": held}


def _print(name: str, stand: dict[str, Any]) -> None:
    reason = f" ({plain(stand['reason'])})" if stand["reason"] else ""
    since = f" since {stand['since']}" if stand["since"] else ""
    check = f", next check at {stand['next_check_at']}" if stand["next_check_at"] else ""
    click.echo(f"{name}: {stand['state']}{since}{reason}{check}")
    for title in ("counts", "delivered", "skipped", "ignored", "contacts", "files"):
        filled = {key: value for key, value in stand[title].items() if value}
        if filled:
            counts = ", ".join(f"{value} {_word(title, key)}" for key, value in filled.items())
            click.echo(f"  {_TITLES.get(title, title)}: {counts}")
    if (new := stand["mapping"]) is not None:
        click.echo(
            f"  mapping {new['fingerprint']} waits for its release since {new['since']},"
            f" {counted(new['held'], 'receipt')} held: `tillpost diff` shows what it changes,"
            " `tillpost mapping release` sends with it"
        )
    if stand["removed"]:
        click.echo(f"  removed: {counted(stand['removed'], 'receipt')} settled longer ago than `keep`")
    for alert in stand["alerts"]:
        click.echo(plain(f"  alert since {alert['since']}: {alert['what']}. {alert['next_step']}"))


_TITLES = {"counts": "receipts", "files": "fallback files"}


def _word(title: str, key: str) -> str:
    """A key of the JSON as people read it."""
    return {"delivered": ROUTES, "contacts": CONTACTS}.get(title, {}).get(key, plain(key))

"""`tillpost status`: how the line stands."""

from __future__ import annotations

import sys
from typing import Any

import click

from tillpost.cli.opened import as_json
from tillpost.compose.config import load
from tillpost.flow.breaker import is_reachable
from tillpost.journal import Journal
from tillpost.terminal import plain, say, when


@click.command("status")
@as_json
@click.pass_obj
def command(file: Any, as_json: bool) -> None:
    """How every pipeline stands: destination, receipts by state, files, contacts, alerts.

    Exit code 1 when something is held, an alert stands or a new mapping waits for its release.

    \b
    Examples:
      tillpost status
      tillpost status --json
    """
    config = load(file, plugins=False)
    answer: dict[str, Any] = {"pipelines": {}}
    for pipeline in config.pipelines:
        journal = Journal(pipeline.state)
        try:
            answer["pipelines"][pipeline.name] = _stand(journal)
        finally:
            journal.close()
    if as_json:
        say(answer)
    else:
        for name, stand in answer["pipelines"].items():
            _print(name, stand)
    stands = answer["pipelines"].values()
    people = ("alerts", "standing", "mapping")
    sys.exit(1 if any(stand["counts"]["held"] or any(stand[name] for name in people) for stand in stands) else 0)


def _stand(journal: Journal) -> dict[str, Any]:
    destination = journal.destination.get()
    return {
        "state": destination.state,
        "reason": destination.reason,
        "since": when(destination.since or None),
        "unreachable_since": when(destination.unreachable_since),
        "next_probe": None if is_reachable(destination) else when(destination.probe_due),
        "counts": journal.receipts.counts(),
        "delivered": journal.receipts.routes(),
        "skipped": journal.receipts.skipped(),
        "ignored": journal.receipts.ignored(),
        "contacts": journal.contacts.counts(),
        "files": journal.file_states.counts(),
        "mapping": _mapping(journal),
        "removed": journal.retention.removed(),
        "alerts": [
            {"file": each.name, "state": str(each.state), "since": when(each.alerted_at), "reason": each.reason}
            for each in journal.file_states.alerted()
        ],
        "standing": [
            {"alert": each.key, "since": when(each.raised_at), "what": each.what, "next_step": each.next_step}
            for each in journal.alerts.standing()
        ],
        "oldest_due": when(journal.receipts.next_due()),
        "history": [
            {"at": when(at), "state": what, "detail": detail} for at, what, detail in journal.destination.history()
        ],
    }


def _mapping(journal: Journal) -> dict[str, Any] | None:
    """The mapping the line waits with until a person releases it."""
    standing = journal.mappings.standing()
    if standing is None:
        return None
    held = journal.mappings.held(standing.fingerprint)
    return {"fingerprint": standing.fingerprint, "since": when(standing.since), "held": held}


def _print(name: str, stand: dict[str, Any]) -> None:
    reason = f" ({plain(stand['reason'])})" if stand["reason"] else ""
    since = f" since {stand['since']}" if stand["since"] else ""
    probe = f", asked again at {stand['next_probe']}" if stand["next_probe"] else ""
    click.echo(f"{name}: {stand['state']}{since}{reason}{probe}")
    for title in ("counts", "delivered", "skipped", "ignored", "contacts", "files"):
        filled = {key: value for key, value in stand[title].items() if value}
        if filled:
            click.echo(f"  {title}: " + ", ".join(f"{value} {plain(key)}" for key, value in filled.items()))
    if (new := stand["mapping"]) is not None:
        click.echo(
            f"  mapping {new['fingerprint']} waits since {new['since']}, {new['held']} receipts held:"
            " `tillpost diff` shows what it changes, `tillpost mapping release` sends with it"
        )
    if stand["removed"]:
        click.echo(f"  removed: {stand['removed']} receipts settled longer ago than `keep`")
    for alert in stand["alerts"]:
        click.echo(plain(f"  alert: file {alert['file']} stays {alert['state']}: {alert['reason']}"))
    for alert in stand["standing"]:
        click.echo(plain(f"  alert since {alert['since']}: {alert['what']}; {alert['next_step']}"))

"""`tillpost status`: how the line stands, and what needs a person."""

from __future__ import annotations

import sys
from typing import Any

import attrs
import click

from tillpost.alerts.standing import standing_alerts, watched
from tillpost.cli.output import json_option
from tillpost.cli.pipelines import read_each, ways_to_read
from tillpost.clock import SystemClock
from tillpost.compose.config import Config, load
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.stranded import find_stranded, names_in
from tillpost.errors import JournalError
from tillpost.flow.breaker import is_reachable
from tillpost.journal import DocumentState, Journal, ObserverBehind, SourceState
from tillpost.journal.tables.steps_set_aside import OBSERVE
from tillpost.reports import verification
from tillpost.reports.labels import CONTACTS, ROUTES
from tillpost.reports.timeline import event_detail
from tillpost.terminal import counted, plain, say, when


@click.command("status")
@json_option
@click.pass_obj
def command(file: Any, as_json: bool) -> None:
    """Show every pipeline: destination, receipts by state, files, contacts, and what needs a person.

    Exit code 1 when anything needs a person: something is held or set aside, an alert stands, a new mapping waits for
    its release, or no `tillpost run` is at work. 0 when nothing does.

    \b
    Examples:
      tillpost status
      tillpost status --json
    """
    config = load(file, plugins=False)
    found = read_each(config.pipelines, lambda pipeline, journal: _stand(journal, config, pipeline))
    pipelines = {name: _unknown(name, stand) if isinstance(stand, JournalError) else stand for name, stand in found}
    stranded = find_stranded(config, names_in(config))
    needs_person = bool(stranded) or any(stand["needs_person"] for stand in pipelines.values())
    if as_json:
        left = [attrs.asdict(each) | {"folder": str(each.folder), "next_step": each.ways()} for each in stranded]
        say({"needs_person": needs_person, "pipelines": pipelines, "stranded": left})
    else:
        for each in stranded:
            click.echo(plain(f"{each.what()}. {each.ways()}"))
        for name, stand in pipelines.items():
            _print(name, stand)
    sys.exit(1 if needs_person else 0)


def _unknown(name: str, error: JournalError) -> dict[str, Any]:
    need = {"what": str(error), "next_step": ways_to_read(name)}
    return {"state": "unknown", "reason": str(error), "needs_person": [need]}


def _stand(journal: Journal, config: Config, pipeline: PipelineConfig) -> dict[str, Any]:
    destination, of_pipeline = journal.destination.get(), watched(config, pipeline)
    alerts = standing_alerts(journal, of_pipeline, SystemClock().time())
    stand = {
        "running": of_pipeline.running,
        "watched_at": when(journal.alerts.watched_at()),
        "state": destination.state,
        "reason": destination.reason,
        "since": when(destination.since or None),
        "unreachable_since": when(destination.unreachable_since),
        "next_check_at": None if is_reachable(destination) else when(destination.probe_due),
        "tenant": _tenant(journal),
        "counts": journal.receipts.counts(),
        "delivered": journal.receipts.routes(),
        "verification": _verification(journal, pipeline),
        "skipped": journal.receipts.skipped(),
        "ignored": journal.receipts.ignored(),
        "sources": [
            {
                "name": source.name,
                "state": str(source.state),
                "reason": source.reason,
                "since": when(source.since),
                "next_try_at": when(source.due),
                "cursor": journal.sources.cursor(source.name),
            }
            for source in journal.sources.all()
        ],
        "set_aside": [
            {
                "step": each.step,
                "name": each.name,
                "reason": each.reason,
                "since": when(each.since),
                "next_try_at": when(each.due),
            }
            for each in journal.steps_set_aside.standing(SystemClock().time())
        ],
        "observers_behind": [
            {
                "name": observer.name,
                "state": str(observer.state),
                "reason": observer.reason,
                "since": when(observer.since),
                "next_try_at": when(observer.due),
                "events_waiting": journal.observers_behind.count_waiting(observer),
            }
            for observer in journal.observers_behind.all()
        ],
        "documents": {str(state): count for state, count in journal.documents.count_open().items()},
        "contacts": journal.contacts.counts(),
        "files": journal.file_states.counts(),
        "file_server": _file_server(journal) if pipeline.has("transfer") else None,
        "mapping": _mapping(journal),
        "losses": [
            {"since": when(loss.at), "what": loss.what, "next_step": loss.next_step} for loss in journal.losses.open()
        ],
        "removed": journal.retention.count_removed(),
        "alerts": [
            {
                "alert": alert.key,
                "since": when(alert.raised_at),
                **{name: getattr(alert, name) for name in ("what", "means", "next_step")},
            }
            for alert in alerts
        ],
        "next_attempt_at": when(journal.receipts.next_due()),
        "history": [
            {"at": when(at), "state": state, "reason": event_detail(detail).get("reason", "")}
            for at, state, detail in journal.destination.history()
        ],
    }
    late = [each for each in journal.observers_behind.all() if each.is_late(SystemClock().time())]
    return stand | {"needs_person": _needs_person(stand, {alert.rule for alert in alerts}, late)}


def _needs_person(stand: dict[str, Any], rules: set[str], late: list[ObserverBehind]) -> list[dict[str, str]]:
    """What needs a person: the alerts, and what has none because its rule is off or its limit is higher."""
    needs = [{"what": alert["what"], "next_step": alert["next_step"]} for alert in stand["alerts"]]
    if "journal" not in rules:
        needs += [{"what": loss["what"], "next_step": loss["next_step"]} for loss in stand["losses"]]
    held, set_aside = stand["counts"]["held"], stand["documents"].get(DocumentState.SET_ASIDE, 0)
    if held and not rules & {"held", "conflict", "mapping"}:
        needs.append({"what": counted(held, "held receipt"), "next_step": "`tillpost held list` shows the reasons."})
    if set_aside and "documents" not in rules:
        what = f"{counted(set_aside, 'document')} set aside"
        needs.append({"what": what, "next_step": "`tillpost documents list` shows the reasons."})
    needs += [
        {"what": each["reason"], "next_step": "Correct or update the plugin."}
        for each in stand["set_aside"]
        if ("observer" if each["step"] == OBSERVE else "set_aside") not in rules
    ]
    if "observer" not in rules:
        needs += [
            {"what": f"observer {each.name}: {each.reason}", "next_step": "`tillpost status --json` shows what waits."}
            for each in late
        ]
    if stand["mapping"] and "mapping" not in rules:
        needs.append(
            {
                "what": f"mapping {stand['mapping']['fingerprint']} waits for its release",
                "next_step": "`tillpost diff` shows what it changes, `tillpost mapping release` sends with it.",
            }
        )
    return needs


def _verification(journal: Journal, pipeline: PipelineConfig) -> dict[str, Any]:
    stand = journal.verification.stand()
    summary = verification.sentence(stand, SystemClock().time())
    return {"verify": pipeline.verify.receipts, **verification.to_json(stand), "summary": summary}


def _file_server(journal: Journal) -> dict[str, Any] | None:
    """What the last probe or transfer showed; None before the first."""
    server = journal.file_server.get()
    if server is None:
        return None
    return {
        "state": "down" if server.is_down else "up",
        "reason": server.reason,
        "since": when(server.since),
        "checked_at": when(server.checked_at),
    }


def _tenant(journal: Journal) -> dict[str, Any] | None:
    """Whose contactIds are stored; None while no transport has named its tenant."""
    known = journal.tenants.current()
    if known is None:
        return None
    return {
        "address": known.tenant.address,
        "since": when(known.since),
        "former": known.former or None,
        "pending": known.pending or None,
    }


def _mapping(journal: Journal) -> dict[str, Any] | None:
    """The mapping the line waits with until a person releases it."""
    standing = journal.mappings.awaiting_release()
    if standing is None:
        return None
    held = journal.mappings.held(standing.fingerprint)
    return {"fingerprint": standing.fingerprint, "since": when(standing.since), "held": held}


def _print(name: str, stand: dict[str, Any]) -> None:
    if "counts" not in stand:
        click.echo(plain(f"{name}: {stand['state']}: {stand['reason']}"))
        return
    reason = f" ({plain(stand['reason'])})" if stand["reason"] else ""
    since = f" since {stand['since']}" if stand["since"] else ""
    check = f", next check at {stand['next_check_at']}" if stand["next_check_at"] else ""
    click.echo(f"{name}: {stand['state']}{since}{reason}{check}")
    if stand["tenant"] and stand["tenant"]["pending"]:
        click.echo(
            f"  tenant: nothing is sent until {plain(stand['tenant']['pending'])} has shown whether it is the tenant of"
            f" {plain(stand['tenant']['address'])}"
        )
    elif stand["tenant"] and stand["tenant"]["former"]:
        former = plain(stand["tenant"]["former"])
        click.echo(f"  tenant: {plain(stand['tenant']['address'])} since {stand['tenant']['since']}, before {former}")
    for title in ("counts", "delivered", "skipped", "ignored", "documents", "contacts", "files"):
        filled = {key: value for key, value in stand[title].items() if value}
        if filled:
            counts = ", ".join(f"{value} {_word(title, key)}" for key, value in filled.items())
            click.echo(f"  {_TITLES.get(title, title)}: {counts}")
    if summary := stand["verification"]["summary"]:
        click.echo(f"  verified: {plain(summary)}")
    for source in stand["sources"]:
        if source["state"] != SourceState.WORKING:
            text = f"{source['state']} since {source['since']} ({source['reason']})"
            click.echo(plain(f"  source {source['name']}: {text}, next try at {source['next_try_at']}"))
    for each in stand["observers_behind"]:
        waiting = f"{counted(each['events_waiting'], 'event')} kept for it since {each['since']}"
        click.echo(plain(f"  observer {each['name']}: {each['state']}, {waiting} ({each['reason']})"))
    if (server := stand["file_server"]) is not None:
        reason = f" since {server['since']} ({plain(server['reason'])})" if server["state"] == "down" else ""
        click.echo(f"  file server: {server['state']}{reason}, asked at {server['checked_at']}")
    if (new := stand["mapping"]) is not None:
        click.echo(
            f"  mapping {new['fingerprint']} waits for its release since {new['since']},"
            f" {counted(new['held'], 'receipt')} held: `tillpost diff` shows what it changes,"
            " `tillpost mapping release` sends with it"
        )
    if stand["removed"]:
        click.echo(f"  removed: {counted(stand['removed'], 'receipt')} settled longer ago than `keep`")
    for alert in stand["alerts"]:
        click.echo(
            plain(f"  alert since {alert['since']}: {alert['what'].removeprefix(f'{name}: ')}. {alert['next_step']}")
        )
    if not stand["needs_person"]:
        click.echo("  nothing needs a person")
    for need in stand["needs_person"][len(stand["alerts"]) :]:
        click.echo(plain(f"  needs a person: {need['what']}. {need['next_step']}"))


_TITLES = {"counts": "receipts", "files": "fallback files", "documents": "documents not read yet"}


def _word(title: str, key: str) -> str:
    """A key of the JSON as people read it."""
    return {"delivered": ROUTES, "contacts": CONTACTS}.get(title, {}).get(key, plain(key))

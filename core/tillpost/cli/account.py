"""`tillpost account`: what became of each record that was read."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import click

from tillpost.cli.output import json_option
from tillpost.cli.pipelines import pipeline_option, read_each, select_pipeline, ways_to_read
from tillpost.compose.config import load
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import JournalError, UsageError
from tillpost.journal import DocumentState, Journal
from tillpost.journal.queries.account import ENDS, Account
from tillpost.terminal import counted, plain, ranked, say

_UNREAD = (DocumentState.READING, DocumentState.RETRY, DocumentState.SET_ASIDE)


@click.command("account")
@click.option("--day", metavar="DATE", default=None, help="One business day, such as 2026-11-24, today or yesterday.")
@click.option("--store", default=None, help="With --day: one store.")
@click.option("--document", metavar="NAME", default=None, help="One document, by its name or the start of its SHA-256.")
@pipeline_option
@json_option
@click.pass_obj
def command(
    file: Any, day: str | None, store: str | None, document: str | None, pipeline: str | None, as_json: bool
) -> None:
    """Show where every record is that was read: verified, on the way, held, skipped, and why.

    Records = receipts + skipped + ignored + broken, and receipts = verified + accepted + on the way + held + discarded.
    Exit code 1 when something is held or broken, or a document or a journal could not be read.

    \b
    Examples:
      tillpost account
      tillpost account --day today --store 12
      tillpost account --document POSLog-1224.xml --json
    """
    if document is not None and (day is not None or store is not None):
        raise UsageError("--document and --day are two questions: give one of them")
    if store is not None and day is None:
        raise UsageError("--store needs --day, such as `tillpost account --day today --store 12`")
    date = None if day is None else _date(day)
    config = load(file, plugins=False)
    wanted = [select_pipeline(config, pipeline)] if pipeline else config.pipelines
    answers: dict[str, list[dict[str, Any]]] = {}
    unknown: dict[str, str] = {}
    needed = False

    def read(_: PipelineConfig, journal: Journal) -> list[tuple[str, Account, dict[str, str]]] | None:
        try:
            return list(_accounts(journal, date, store or "", document))
        except UsageError:
            if len(wanted) == 1:
                raise
            return None  # another pipeline has read the document

    for name, accounts in read_each(wanted, read):
        if isinstance(accounts, JournalError):
            unknown[name] = str(accounts)
            if not as_json:
                click.echo(plain(f"{name}: unknown: {accounts}. {ways_to_read(name)}"))
            continue
        if accounts is None:
            continue
        answers[name] = [{"of": of, **account.as_json(), "unread": unread} for of, account, unread in accounts]
        for of, account, unread in accounts:
            needed |= bool(account.receipts["held"] or account.broken["held"] or unread)
            if not as_json:
                _print(f"{name}{of and f', {of}'}", account, unread)
    if not answers and document is not None:
        where = "in the journals that can be read" if unknown else "in any journal"
        raise UsageError(f"no document {document} {where}; `tillpost documents list` lists them")
    if as_json:
        say({"pipelines": answers, "unknown": unknown})
    sys.exit(1 if needed or unknown else 0)


def _date(text: str) -> str:
    today = datetime.now().astimezone().date()
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        return (named.get(text) or datetime.strptime(text, "%Y-%m-%d").date()).isoformat()  # noqa: DTZ007 - a date
    except ValueError:
        raise UsageError(f"--day is a date such as 2026-11-24, today or yesterday, not {text!r}") from None


def _accounts(
    journal: Journal, date: str | None, store: str, document: str | None
) -> Iterator[tuple[str, Account, dict[str, str]]]:
    """What each account is of, the account, and the documents of it that were not read to their ends: name → why."""
    if document is not None:
        for entry in journal.documents.find(document):
            unread = {entry.name: entry.reason or str(entry.state)} if entry.state in _UNREAD else {}
            yield entry.name, journal.accounts.of_document(entry), unread
        return
    unread = {entry.name: entry.reason or str(entry.state) for entry in journal.documents.open()}
    if date is None:
        yield "", journal.accounts.of_journal(), unread
        return
    since = datetime.fromisoformat(date).astimezone()
    until = (datetime.fromisoformat(date) + timedelta(days=1)).astimezone()
    account = journal.accounts.of_day(date, since.timestamp(), until.timestamp(), store)
    yield f"{date}{store and f' store {store}'}", account, unread


def _print(of: str, account: Account, unread: dict[str, str]) -> None:
    receipts, broken = sum(account.receipts.values()), sum(account.broken.values())
    parts = {
        "receipt" if receipts == 1 else "receipts": receipts,
        "skipped": sum(account.skipped.values()),
        "ignored": sum(account.ignored.values()),
        "broken": broken,
        "in the journal before": account.before,
    }
    click.echo(plain(f"{of}: {counted(account.records, 'record')} read"))
    click.echo(f"  records {account.records:,} = {_sum(parts)}")
    click.echo(f"  receipts {receipts:,} = {_sum(_named(account.receipts))}")
    if broken:
        click.echo(f"  broken {broken:,} = {_sum(_named(account.broken))}")
    for name, reasons in (("skipped", account.skipped), ("ignored", account.ignored)):
        for reason, count in ranked(reasons)[:5]:
            click.echo(plain(f"  {name} {count:,}: {reason}"))
    for (where, reason), count in ranked(account.waiting)[:10]:
        click.echo(plain(f"  {where} {count:,}: {reason or 'no attempt yet'}"))
    for name, reason in list(unread.items())[:10]:
        click.echo(plain(f"  not read to its end: {name}: {reason}"))
    if len(unread) > 10:
        click.echo(f"  not read to their ends: {len(unread) - 10:,} more; `tillpost documents list` lists them")


def _named(ends: Counter[str]) -> dict[str, int]:
    return {end.replace("_", " ").replace("api", "API"): ends[end] for end in ENDS}


def _sum(parts: dict[str, int]) -> str:
    return " + ".join(f"{count:,} {name}" for name, count in parts.items() if count) or "0"

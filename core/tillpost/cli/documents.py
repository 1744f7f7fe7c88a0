"""`tillpost documents`: what came of each document, and the person's decision on those that were not read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tillpost.cli.output import json_option, print_rows
from tillpost.cli.pipelines import journal_command, opened_lines, pipeline_option, select_pipeline
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.errors import DocumentError, UsageError
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.source_health import reason_of
from tillpost.flow.line import Line
from tillpost.journal import OPEN_DOCUMENTS, DocumentEntry, DocumentState, Journal
from tillpost.model import Document
from tillpost.terminal import answer, plain, say, when

_COLUMNS = ["name", "state", "records", "receipts", "last_at", "reason"]


@click.group("documents")
def command() -> None:
    """Documents that were read or tried: list, show, retry, discard.

    \b
    Examples:
      tillpost documents list
      tillpost documents retry day-2026-11-24.xml
      tillpost documents retry --all
      tillpost documents discard notes.txt --reason "not of a till"
    """


@command.command("list")
@click.option("--state", type=click.Choice([str(state) for state in DocumentState]), help="Only those in this state.")
@click.option("--name", help="Only those of this name.")
@click.option("--source", help="Only those this source brought: folder, ingest, accept.")
@click.option("--all", "everything", is_flag=True, help="Also those that were read; the newest first.")
@click.option("--limit", default=100, show_default=True, help="At most so many of those that were read.")
@journal_command
def list_(
    journal: Journal, state: str | None, name: str | None, source: str | None, everything: bool, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """List those that were not read to their end; exit code 1 when there are any.

    \b
    Examples:
      tillpost documents list
      tillpost documents list --state "set aside" --json
      tillpost documents list --all --limit 20
    """
    where = {key: value for key, value in (("state", state), ("name", name), ("source", source)) if value}
    if everything or state:
        entries = journal.documents.newest(limit, **where)
    else:
        entries = [entry for entry in journal.documents.open() if all(getattr(entry, k) == v for k, v in where.items())]
    print_rows(map(document_row, entries), _COLUMNS, as_json)
    sys.exit(1 if any(entry.state in OPEN_DOCUMENTS for entry in entries) else 0)


@command.command("show")
@click.argument("name")
@journal_command
def show(journal: Journal, name: str, as_json: bool) -> None:
    """Show what came of a document, by its name or the beginning of its SHA-256: every time it was read or tried.

    \b
    Example:
      tillpost documents show day-2026-11-24.xml
    """
    rows = [document_row(entry) for entry in journal.documents.find(name)]
    if as_json:
        for row in rows:
            say(row)
        return
    for number, row in enumerate(rows):
        if number:
            click.echo("")
        for key, value in row.items():
            click.echo(f"{key}: {plain('' if value is None else value)}")


@command.command("retry")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are set aside.")
@pipeline_option
@json_option
@click.pass_obj
def retry(file: Any, names: tuple[str, ...], everything: bool, pipeline: str | None, as_json: bool) -> None:
    """Read documents again that were set aside, with today's settings; with or without a running `run`.

    A file goes back to where its source reads it. One received by HTTP is read at once from the journal's copy.
    Exit code 1 when one still cannot be read.

    \b
    Examples:
      tillpost documents retry day-2026-11-24.xml
      tillpost documents retry --all
    """
    if everything == bool(names):
        raise UsageError("name the documents to be read again, or give --all")
    config = load(file)
    with opened_lines(config, [select_pipeline(config, pipeline)]) as (line,):
        documents = line.journal.documents
        chosen = documents.open() if everything else [entry for name in names for entry in _open(line.journal, name)]
        fine = True
        for entry in chosen:
            if everything and entry.state != DocumentState.SET_ASIDE:
                continue
            done, result = _retry(line, entry)
            fine = fine and done
            answer(as_json, {"name": entry.name, "result": result}, f"{entry.name}: {result}")
    sys.exit(0 if fine else 1)


@command.command("discard")
@click.argument("names", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; it stays in the journal.")
@journal_command
def discard(journal: Journal, names: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Say that documents need not be read; a file stays where it lies, and is not told again for the same trouble.

    \b
    Example:
      tillpost documents discard notes.txt --reason "not of a till"
    """
    for name in names:
        for entry in _open(journal, name):
            journal.documents.discard(entry, reason, SystemClock().time())
            answer(as_json, {"name": entry.name, "result": "discarded"}, f"{entry.name}: discarded")


def document_row(entry: DocumentEntry) -> dict[str, Any]:
    """A document in JSON."""
    return {
        "name": entry.name,
        "sha256": entry.sha256,
        "source": entry.source,
        "size": entry.size,
        "state": str(entry.state),
        "reason": entry.reason,
        "place": entry.place,
        "first_at": when(entry.first_at),
        "last_at": when(entry.last_at),
        "next_try_at": when(entry.due),
        "records": entry.records,
        "receipts": entry.receipts,
        "again": entry.again,
        "ignored": entry.ignored,
        "skipped": entry.skipped,
        "broken": entry.broken,
        "failures": entry.failures,
        "crashes": entry.crashes,
    }


def _open(journal: Journal, name: str) -> list[DocumentEntry]:
    """Those of this name that were not read. Raises UsageError when there is none."""
    entries = [entry for entry in journal.documents.find(name) if entry.state in OPEN_DOCUMENTS]
    if not entries:
        raise UsageError(f"{name} is not set aside; `tillpost documents show {name}` says what came of it")
    return entries


def _retry(line: Line, entry: DocumentEntry) -> tuple[bool, str]:
    """Whether it can be read now or will be tried, and what was done."""
    if entry.state != DocumentState.SET_ASIDE:
        return True, f"its source tries it by itself ({entry.reason})"
    content = line.journal.documents.content(entry.seq)
    if content is not None:
        return _read(line, Document(name=entry.name, sha256=entry.sha256, content=content, keep=True), entry)
    if line.hooks.implements("retry_document"):
        try:
            place = line.hooks.retry_document(entry.name, entry.sha256)
        except OSError as error:
            return False, f"it cannot be put back: {reason_of(error)}"
        if place is not None:
            line.journal.documents.put_back(entry, str(place), line.clock.time())
            return True, f"put back as {place}; a running `run` reads it, else the next one"
    path = Path(entry.place)
    if not entry.place or not path.is_file():
        lies = f"it does not lie at {path} any more" if entry.place else "its content was not kept"
        return False, f"{lies}; let it be sent again, or `tillpost documents discard` it"
    document = Document.from_path(path)
    if document.sha256 != entry.sha256:
        return False, f"{path} has other content by now; `tillpost accept {path}` reads that"
    return _read(line, document, entry)


def _read(line: Line, document: Document, entry: DocumentEntry) -> tuple[bool, str]:
    try:
        counts = accept(line, document, source=entry.source)
    except DocumentError as error:
        return False, f"still cannot be read: {error}"
    return True, ", ".join(f"{count} {name}" for name, count in counts.as_dict().items() if count) or "nothing in it"

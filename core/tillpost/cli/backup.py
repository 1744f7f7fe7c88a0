"""`tillpost journal backup` and `tillpost journal restore`."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path

import click

from tillpost.cli.pipelines import pipeline_command
from tillpost.clock import SystemClock
from tillpost.compose.journals import existing_journal, last_known, remember
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.journal import RunLock
from tillpost.journal.sqlite import doctor
from tillpost.terminal import answer, counted, plain, say, when

_BRING_BACK = (
    "have the documents since then read again: move what a folder or a file server keeps in `done` back to where it is"
    " read; have tills and shops send again what was answered by HTTP, and put messages into the queue again: what was"
    " acknowledged does not come by itself. Engage ignores receipts it has"
)


def _progress(text: str) -> None:
    """Show the progress in one line of a terminal; nothing for scripts and logs."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[2K{text} …", err=True, nl=False)


@click.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@pipeline_command
def backup(chosen: PipelineConfig, target: Path, as_json: bool) -> None:
    """Copy the journal to TARGET, a new file or a folder, while receipts flow. The copy holds personal data.

    The copy is consistent, as of the start of the command; when it ends the copy is verified and on the disk.

    \b
    Examples:
      tillpost journal backup /var/backups/tillpost
      tillpost journal backup stores.db --pipeline stores --json
    """
    done = doctor.backup(chosen.state, target, SystemClock().time(), _progress)
    record = {"file": str(done.path), "receipts": done.receipts, "bytes": done.bytes, "schema": done.schema}
    text = f"{done.path}: {counted(done.receipts, 'receipt')}, {done.bytes} bytes; it holds personal data"
    answer(as_json, record, text)


@click.command("restore")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Set the existing journal aside, and put the backup in its place.")
@pipeline_command
def restore(chosen: PipelineConfig, source: Path, replace: bool, as_json: bool) -> None:
    """Put the backup SOURCE in the place of the journal. Not while a `run` works on it.

    Open receipts may have been sent since: they are looked up before they are sent again. Exit code 1 when something
    had to be repaired.

    \b
    Examples:
      tillpost journal restore /var/backups/tillpost/stores-20251128T020000Z.db
      tillpost journal restore stores.db --replace --json
    """
    wait, now = chosen.retry.confirm_after.total_seconds(), SystemClock().time()
    with ExitStack() as stack:
        stack.callback(RunLock(chosen.state).release)
        done = doctor.restore(chosen.state, source, now, wait, replace, _progress, last_known(chosen))
        missing = _tell_missing(chosen, done, now)
        remember(chosen)  # last: killed before it, the next start tells that the journal is another one
    if as_json:
        say(
            {
                "receipts": done.receipts, "as_of": when(done.as_of or None), "asked": done.asked,
                "unknown": done.unknown, "open_files": done.open_files, "newer": done.newer,
                "missing": missing,
                "damages": [damage.as_dict() for damage in done.damages], "kept": str(done.kept) if done.kept else None,
            }
        )  # fmt: skip
    else:
        for line in _sentences(done, chosen.state, when(now + wait) or "", missing):
            click.echo(plain(line))
    sys.exit(1 if done.damages else 0)


def _tell_missing(chosen: PipelineConfig, done: doctor.Restored, now: float) -> str:
    """Record what may have been accepted since the backup as a loss, and return it; "" where nothing was, or where the
    source has its place in the journal, and reads what came since by itself."""
    source = next((use.plugin for use in chosen.slots if use.slot == "source"), "")
    lost = None if done.newer is None else done.newer - done.read_again.get(source, 0)
    if lost == 0:
        return ""
    as_of = when(done.as_of or None) or "the beginning"
    with closing(existing_journal(chosen)) as journal:
        if lost is None and journal.sources.cursor(source) is not None:
            return ""
        known = f" ({counted(lost, 'receipt')}, which {done.kept} has)" if lost else ""
        what = f"a backup was restored: what was accepted after {as_of} is missing{known}"
        way = f"`tillpost journal recover {done.kept}` brings it back; or {_BRING_BACK}" if lost else _BRING_BACK
        journal.losses.record(now, what, f"{way}; then `tillpost journal losses --settle`")
    return what


def _sentences(done: doctor.Restored, folder: Path, due: str, missing: str) -> list[str]:
    as_of = when(done.as_of or None) or "a journal without events"
    lines = [f"{folder}: {counted(done.receipts, 'receipt')}, as of {as_of}"]
    if done.asked:
        lines.append(
            f"{counted(done.asked, 'open receipt')} may have been sent since: from {due} on Engage's history is"
            " checked, and only what it lacks is sent again, under the same id"
        )
    if done.unknown:
        lines.append(
            f"{done.unknown} of them have a contact without contactId, so no history: sent again, under the same id"
        )
    if done.open_files:
        lines.append(f"{counted(done.open_files, 'fallback file')} will be uploaded again; Engage ignores repeats")
    if missing:
        if done.kept and done.newer:
            lines.append(f"`tillpost journal recover {done.kept}` brings back what that one has beyond the backup; or:")
        lines += [missing, _BRING_BACK, "`tillpost journal losses` shows this until it is settled"]
    if done.newer == 0:
        lines.append("no receipt of the replaced journal is missing")
    if done.newer != 0 and (not missing or any(done.read_again.values())):
        lines.append(
            f"what the source read after {as_of} is read again by it: it goes on from its place of then, or its start"
        )
    if done.kept:
        lines.append(f"the replaced journal is kept as {done.kept}")
    return lines + [
        f"repaired: {damage.table} {damage.row}: {damage.reason}; lost: {damage.lost}; {damage.remedy}"
        for damage in done.damages
    ]

"""Rewrite: write files again because more is known of their contacts. The ids of receipts stay the same."""

from __future__ import annotations

from tillpost.flow.fallback.write_files import (
    awaiting_lookup,
    map_for_files,
    may_be_named,
    swept_on_failure,
    write_batch,
)
from tillpost.flow.line import Line
from tillpost.journal import Entry, FileEntry, State
from tillpost.model import Payload

_UNNAMED = "no file can name its contact any more; `tillpost held retry` sends it by API"

_VOIDED = "voided at the till, and taken out of its file before that was uploaded"


def rewrite(line: Line, old: list[FileEntry]) -> None:
    """Replace files of one batch that are not uploaded yet. Receipts of contacts in conflict are held instead.

    So are those that their till has voided, until the upkeep skips them together with the void that is held.

    Receipts of a contact whose lookup has no answer, or that no file may create, wait to be sent by API.

    The new files are written first, then committed, then the old ones are removed. After a crash in between, the next
    start removes the files the journal does not name.
    """
    names = frozenset(entry.file.name for entry in old)
    keys = {key for entry in old if entry.file.kind == "contacts" for key in entry.file.keys}
    rows = [row for name in sorted(names) for row in line.journal.receipts.find({"file": name, "state": State.WRITTEN})]
    seqs = {row.id: row.seq for row in rows}
    voided = {each: _VOIDED for name in sorted(names) for each in line.journal.files.voided_unsent(name)}
    rows = [row for row in rows if row.id not in voided]
    # A contact whose id has turned out wrong, and that nobody else has in Engage, is created by a file of its own.
    keys |= {row.contact for row in rows if row.contact and not row.matched and line.erased == "create"}
    keys = {key for key in keys - line.silent.keys() if not line.journal.contact_lookups.conflict_reason(key)}
    created, updated = line.journal.contacts.to_write(keys, replacing=names)
    created = [contact for contact in created if may_be_named(line, contact)]
    silent = {row.id: line.silent[row.contact] for row in rows if row.contact in line.silent}
    silent |= awaiting_lookup(line, [row for row in rows if row.id not in silent])
    payloads, held = _map(line, [row for row in rows if row.id not in silent])
    with swept_on_failure(line):
        batch = write_batch(line, created, updated, payloads, seqs, old[0].sequence)
        line.journal.files.replace(old, batch, held | voided, line.clock.time(), silent)
    for entry in old:
        entry.file.path.unlink(missing_ok=True)


def rewrite_by_id(line: Line, entry: FileEntry, rows: list[Entry]) -> None:
    """Write receipts of an imported file again, now that their contacts can be named by id, or are created again.

    The destination ignores a receipt it has, and drops one whose contact it does not know without an error.
    """
    keys = {row.contact for row in rows if row.contact and not row.matched}
    created, _ = line.journal.contacts.to_write(keys)
    created = [contact for contact in created if may_be_named(line, contact)]
    payloads, held = _map(line, rows)
    with swept_on_failure(line):
        batch = write_batch(line, created, [], payloads, {row.id: row.seq for row in rows})
        line.journal.files.resubmit(entry, batch, held, line.clock.time())


def _map(line: Line, rows: list[Entry]) -> tuple[dict[str, Payload], dict[str, str]]:
    """The payloads by receipt id, and why the other receipts are held."""
    payloads, held = map_for_files(line, rows)
    unnamed = {row.id: _UNNAMED for row in rows if row.id not in payloads}
    return payloads, unnamed | held

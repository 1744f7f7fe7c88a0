"""Write files: while the destination is away, receipts and the contacts they need are written to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tillpost.errors import InvalidValue, JournalFull, PluginError
from tillpost.flow.breaker import FALLBACK
from tillpost.flow.line import Line
from tillpost.journal import OPEN_FILES, Batch, Entry, Move, State
from tillpost.model import Contact, FallbackBatch, Payload, WrittenFiles

BATCH_RECEIPTS = 2000
"""Receipts a batch: what is held in memory at a time."""
BATCH_LINES = 20_000
"""Lines of receipts a batch, for the same reason: a receipt may have thousands."""


def write_files(line: Line) -> int:
    """Write what must go by file now, and return how many receipts went.

    In fallback that is every open receipt; else those whose attempts have run out.
    """
    if line.fallback is None or line.guard.closed:
        return 0
    attempts = 0 if line.breaker.destination.state == FALLBACK else line.retry.attempts
    written, last = 0, 0
    more = True
    while more:
        found = line.journal.receipts.open_after(last, attempts, BATCH_RECEIPTS)
        if not found:
            break
        entries = _within(found)
        # What arrives meanwhile waits for the next round, or each would get a file of its own.
        more = len(entries) < len(found) or len(found) == BATCH_RECEIPTS
        last = entries[-1].seq
        mine = line.claims.claim((entry.seq for entry in entries), BATCH_RECEIPTS)
        try:
            fresh = line.journal.receipts.refresh(mine)
            written += _write(line, sorted(fresh, key=lambda entry: entry.seq))
        finally:
            line.claims.release(mine)
    return written


def _within(entries: list[Entry]) -> list[Entry]:
    """The first of them, at least one, that have no more than BATCH_LINES together."""
    total = 0
    for number, entry in enumerate(entries):
        total += entry.line_count
        if number and total > BATCH_LINES:
            return entries[:number]
    return entries


def _write(line: Line, entries: list[Entry]) -> int:
    payloads, held = map_for_files(line, entries)
    moves = [
        (entry.seq, Move(state=State.HELD, attempts=entry.attempts, reason=held[entry.id]))
        for entry in entries
        if entry.id in held
    ]
    if moves:
        line.journal.receipts.settle(moves, line.clock.time(), "write")
    if not payloads:
        return 0
    created, updated = line.journal.contacts.to_write({e.contact for e in entries if e.id in payloads and e.contact})
    with swept_on_failure(line):
        batch = write_batch(line, created, updated, payloads, {entry.id: entry.seq for entry in entries})
        line.journal.files.add(batch, line.clock.time())
    return sum(len(file.keys) for file in batch.written.files if file.kind == "receipts")


def map_for_files(line: Line, entries: list[Entry]) -> tuple[dict[str, Payload], dict[str, str]]:
    """By receipt id: the payloads as a file may name their contacts, and why others must be held.

    Those in neither cannot be named by a file.
    """
    payloads: dict[str, Payload] = {}
    held: dict[str, str] = {}
    contacts: dict[str, tuple[Contact, str]] = {}
    for entry in entries:
        if entry.contact is None:
            continue
        try:
            if entry.contact not in contacts:
                conflict = line.journal.contact_lookups.conflict(entry.contact)
                contacts[entry.contact] = line.journal.contacts.for_file(entry.contact), conflict
            contact, conflict = contacts[entry.contact]
            if conflict:
                held[entry.id] = conflict
                continue
            match = line.hooks.match_in_file(contact)
            if match is None:
                continue
            with line.journal.crash_marks.holding(entry.seq):
                receipt = line.journal.receipts.body(entry.seq)
                payloads[entry.id] = line.hooks.amend_payload(line.hooks.map_receipt(receipt, match), receipt)
        except (InvalidValue, PluginError) as error:
            held[entry.id] = str(error)
    return payloads, held


def write_batch(
    line: Line,
    created: list[Contact],
    updated: list[Contact],
    payloads: Mapping[str, Payload],
    seqs: Mapping[str, int],
    sequence: int | None = None,
) -> Batch:
    """The files of these contacts and receipts, on the disk and not in the journal yet.

    sequence: before which other files they go up; as the last when left out.
    """
    number = line.journal.destination.next_sequence()
    line.journal.fallback_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    batch = FallbackBatch(
        created=tuple(created),
        updated=tuple(updated),
        receipts=tuple(payloads.values()),
        stamp=datetime.fromtimestamp(line.clock.time(), UTC).astimezone(),
        sequence=number,
        folder=line.journal.fallback_folder,
    )
    written = line.hooks.write_files(batch) if created or updated or payloads else WrittenFiles(files=())
    return Batch(
        written=written,
        sequence=number if sequence is None else sequence,
        seqs=seqs,
        payloads=payloads,
        contacts=[*created, *updated],
    )


@contextmanager
def swept_on_failure(line: Line) -> Iterator[None]:
    """Around the writing of files and the commit that makes them count."""
    try:
        yield
    except (JournalFull, OSError, PluginError):
        # Nothing of it counts, and the next round writes it again: a full disk must not fill with what is left.
        # After any other error of the journal its commit may still show, so that waits for the next start.
        sweep(line)
        raise


def sweep(line: Line) -> list[Path]:
    """Remove files no one needs: a crash came between their writing and the commit, or before their removal.

    The receipts of the first are still open in the journal and will be written again; the others are confirmed.
    """
    needed = {standing.name for standing in line.journal.files.standing(*OPEN_FILES)}
    strays = [path for path in line.journal.fallback_folder.rglob("*") if path.is_file() and path.name not in needed]
    for path in strays:
        path.unlink(missing_ok=True)
    return strays

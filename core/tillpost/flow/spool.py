"""Spool: while the far side is away, receipts and the contacts they need are written to files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tillpost.errors import JournalFull, LawBroken, PluginError
from tillpost.flow.line import Line
from tillpost.flow.outage import FILE_MODE
from tillpost.journal import Entry, Move, State
from tillpost.model import Contact, Payload, SpoolBatch

CHUNK = 2000
"""Receipts a batch: what is held in memory at a time."""


def spool(line: Line) -> int:
    """Write what must go by file now, and return how many receipts went.

    In file mode that is every open receipt; else those whose attempts have run out.
    """
    if line.fallback is None:
        return 0
    attempts = 0 if line.gate.tenant.state == FILE_MODE else line.retry.attempts
    written, last = 0, 0
    more = True
    while more:
        entries = line.journal.receipts.open_after(last, attempts, CHUNK)
        if not entries:
            break
        # What arrives meanwhile waits for the next round, or each would get a file of its own.
        more = len(entries) == CHUNK
        last = entries[-1].seq
        mine = line.claims.take((entry.seq for entry in entries), CHUNK)
        try:
            fresh = line.journal.receipts.refresh(mine)
            written += _write(line, sorted(fresh, key=lambda entry: entry.seq))
        finally:
            line.claims.give_back(mine)
    return written


def _write(line: Line, entries: list[Entry]) -> int:
    payloads, contacts = _map(line, entries)
    if not payloads:
        return 0
    created, updated = line.journal.contacts.to_spool(set(contacts))
    now = line.clock.time()
    sequence = line.journal.tenant.next_sequence()
    line.journal.spool_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    batch = SpoolBatch(
        created=tuple(created),
        updated=tuple(updated),
        receipts=tuple(payloads.values()),
        stamp=datetime.fromtimestamp(now, UTC).astimezone(),
        sequence=sequence,
        folder=line.journal.spool_folder,
    )
    rows = {entry.id: entry.seq for entry in entries if entry.id in payloads}
    try:
        spooled = line.hooks.spool(batch)
        line.journal.files.add(spooled, sequence, rows, [*created, *updated], now)
    except (JournalFull, OSError, PluginError):
        # Nothing of it counts, and the next round writes it again: a full disk must not fill with what is left.
        # After any other error of the journal its commit may still show, so that waits for the next start.
        sweep(line)
        raise
    return sum(len(file.keys) for file in spooled.files if file.kind == "receipts")


def _map(line: Line, entries: list[Entry]) -> tuple[dict[str, Payload], dict[str, Contact]]:
    payloads: dict[str, Payload] = {}
    contacts: dict[str, Contact] = {}
    for entry in entries:
        if entry.contact is None:
            continue
        contact = contacts.get(entry.contact) or line.journal.contacts.for_file(entry.contact)
        match = line.hooks.match_in_file(contact)
        if match is None:
            continue  # no file can name this contact: it waits for the API
        try:
            receipt = line.journal.receipts.body(entry.seq)
            payloads[entry.id] = line.hooks.amend_payload(line.hooks.map_receipt(receipt, match), receipt)
        except (LawBroken, PluginError) as error:
            held = Move(state=State.HELD, attempts=entry.attempts, reason=str(error))
            line.journal.receipts.settle([(entry.seq, held)], line.clock.time(), "spool")
            continue
        contacts[contact.key] = contact
    return payloads, contacts


def sweep(line: Line) -> list[Path]:
    """Remove files no one needs: a crash came between their writing and the commit, or before their removal.

    The receipts of the first are still open in the journal and will be written again; the others are confirmed.
    """
    needed = {entry.file.name for entry in line.journal.files.open()}
    strays = [path for path in line.journal.spool_folder.rglob("*") if path.is_file() and path.name not in needed]
    for path in strays:
        path.unlink(missing_ok=True)
    return strays

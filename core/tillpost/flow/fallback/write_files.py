"""Write files: put receipts, and the contacts they need, into fallback files while the API is away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tillpost.errors import ChangedMeanwhile, InvalidValue, JournalFull, PluginError
from tillpost.flow.breaker import FALLBACK
from tillpost.flow.contacts.resolve import UNKNOWN
from tillpost.flow.fallback.poison import write_without_poisoned, written_apart
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import hold
from tillpost.flow.trials import SUSPECT, blame, try_apart, try_suspects
from tillpost.journal import OPEN_FILES, Batch, Entry, Move, State
from tillpost.model import Contact, FallbackBatch, Payload, WrittenFiles

WRITING = -2
"""The crash mark of the writer, which has a whole batch in hand."""
_LOOKED_UP = f"{UNKNOWN}; no file does: it is looked up when the API answers"
BATCH_RECEIPTS = 2000
"""Receipts in a batch, which is in memory as a whole."""
BATCH_LINES = 20_000
"""Lines of the receipts in a batch, for the same reason: one receipt may have thousands."""


def write_files(line: Line) -> int:
    """Write the receipts that must go by file now; how many were written.

    In an outage these are all open receipts, otherwise those that have used up their attempts.
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
        entries = _first_lines(found)
        # Receipts that arrive meanwhile wait for the next round, or each would get a file of its own.
        more = len(entries) < len(found) or len(found) == BATCH_RECEIPTS
        last = entries[-1].seq
        claimed = line.claims.claim((entry.seq for entry in entries), BATCH_RECEIPTS)
        try:
            fresh = line.journal.receipts.refresh(claimed)
            if line.breaker.allows_requests():  # by file they would be taken out again: they wait to be sent by API
                fresh = [entry for entry in fresh if entry.contact not in line.silent]
            written += _write(line, sorted(fresh, key=lambda entry: entry.seq))
        finally:
            line.claims.release(claimed)
    return written


def _first_lines(entries: list[Entry]) -> list[Entry]:
    """The first entries, at least one, that have at most BATCH_LINES lines together."""
    total = 0
    for number, entry in enumerate(entries):
        total += entry.line_count
        if number and total > BATCH_LINES:
            return entries[:number]
    return entries


def _write(line: Line, entries: list[Entry]) -> int:
    payloads, held = map_for_files(line, entries)
    moves = [(entry.seq, hold(entry, held[entry.id])) for entry in entries if entry.id in held]
    left = [each for each in entries if each.id not in payloads and each.id not in held and each.sending is None]
    waiting = awaiting_lookup(line, [each for each in left if each.state is not State.UNCERTAIN])
    moves += [
        (entry.seq, Move(state=State.WAITING, due=entry.due, attempts=entry.attempts, reason=waiting[entry.id]))
        for entry in left
        if entry.id in waiting and not entry.reason.startswith(UNKNOWN)
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
    """By receipt id: the payloads, which name contacts as a file may, and why other receipts must be held.

    A receipt in neither has a contact that no file can name.
    """
    payloads: dict[str, Payload] = {}
    held: dict[str, str] = {}
    contacts: dict[str, tuple[Contact, str]] = {}
    verdicts = try_suspects(line.trials, "map", entries)
    for entry in entries:
        if entry.contact is None:
            continue
        try:
            if entry.contact not in contacts:
                conflict = line.journal.contact_lookups.conflict_reason(entry.contact)
                contacts[entry.contact] = line.journal.contacts.for_file(entry.contact), conflict
            contact, conflict = contacts[entry.contact]
            if conflict:
                held[entry.id] = conflict
                continue
            if not may_be_named(line, contact):
                continue
            if entry.seq in verdicts and verdicts[entry.seq].died:
                held[entry.id] = blame("maps it", verdicts[entry.seq])
                continue
            with line.journal.crash_marks.holding(entry.seq):
                match = line.hooks.match_in_file(contact)
                if match is None or (contact.is_gone and line.erased == "hold"):
                    continue  # it goes by API
                receipt = line.journal.bodies.get(entry.seq)
                payloads[entry.id] = line.hooks.amend_payload(line.hooks.map_receipt(receipt, match), receipt)
        except (InvalidValue, PluginError) as error:
            held[entry.id] = str(error)
    return payloads, held


def may_be_named(line: Line, contact: Contact) -> bool:
    """Whether a file may name the contact: not one that only a file would create, while the pipeline may not."""
    if contact.contact_id:
        return True
    is_unknown = line.journal.contacts.lookups(contact.key)[1] is not None
    return not is_unknown and line.hooks.may_create_contact(contact)


def awaiting_lookup(line: Line, entries: list[Entry]) -> dict[str, str]:
    """Receipts whose contact no file may create, by id: why they wait until the API answers."""
    keys = {entry.contact for entry in entries if entry.contact}
    unnamed: set[str] = set()
    for key in keys:
        with suppress(InvalidValue, PluginError):
            if not may_be_named(line, line.journal.contacts.for_file(key)):
                unnamed.add(key)
    unnamed = {key for key in unnamed if not line.journal.contact_lookups.conflict_reason(key)}
    return {entry.id: _LOOKED_UP for entry in entries if entry.contact in unnamed}


def write_batch(
    line: Line,
    created: list[Contact],
    updated: list[Contact],
    payloads: Mapping[str, Payload],
    seqs: Mapping[str, int],
    sequence: int | None = None,
) -> Batch:
    """Write the files of these contacts and receipts to the disk; the caller commits the batch.

    sequence: the place of the batch in the order of uploads; the last one when omitted.
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
    return Batch(
        written=_written(line, batch, seqs) if created or updated or payloads else WrittenFiles(files=()),
        sequence=number if sequence is None else sequence,
        seqs=seqs,
        payloads=payloads,
        contacts=[*created, *updated],
    )


def _written(line: Line, batch: FallbackBatch, seqs: Mapping[str, int]) -> WrittenFiles:
    if line.died_writing.is_set() and (reason := _dies(line, batch)):
        written = write_without_poisoned(line, batch, PluginError("fallback", reason), partial(_dies, line))
        # They are tried before they come into a batch again, and are held then.
        line.journal.receipts.suspect([seqs[each.key] for each in written.refused if each.key in seqs], SUSPECT)
        return written
    try:
        with line.journal.crash_marks.holding(WRITING):
            written = line.hooks.write_files(batch)
    except (InvalidValue, PluginError) as error:
        sweep(line)  # what it wrote before it failed
        return write_without_poisoned(line, batch, error, partial(written_apart, line))
    line.died_writing.clear()
    return written


def _dies(line: Line, batch: FallbackBatch) -> str:
    """Why a process ends that writes this batch; "" when it does not."""
    contacts = [contact.key for contact in (*batch.created, *batch.updated)]
    receipts = [payload.receipt_id for payload in batch.receipts]
    # A part that ends one process is halved on: only of a single one must two processes end.
    verdict = try_apart(
        line.trials,
        {"do": "write", "contacts": contacts, "receipts": receipts},
        deaths=2 if len(contacts) + len(receipts) == 1 else 1,
    )
    return blame("writes it to a file", verdict) if verdict.died else ""


@contextmanager
def swept_on_failure(line: Line) -> Iterator[None]:
    """Around writing files and committing them: after an error that left them uncommitted, remove them."""
    try:
        yield
    except (ChangedMeanwhile, JournalFull, OSError, PluginError):
        # The next round writes them again, and a full disk must not keep the remains. After another error of the
        # journal the commit may have gone through, so removing them waits for the next start.
        sweep(line)
        raise


def sweep(line: Line) -> list[Path]:
    """Remove files the journal does not need: a crash came before their commit, or before their removal.

    Receipts of uncommitted files are still open in the journal and will be written again.
    """
    needed = {status.name for status in line.journal.file_states.in_states(*OPEN_FILES)}
    strays = [path for path in line.journal.fallback_folder.rglob("*") if path.is_file() and path.name not in needed]
    for path in strays:
        path.unlink(missing_ok=True)
    return strays

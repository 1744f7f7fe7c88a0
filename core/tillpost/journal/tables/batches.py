"""Batches: the files that were written together, inserted into the manifest in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from tillpost.clock import iso
from tillpost.journal.database import Transaction, first
from tillpost.journal.moves import Move, apply_move, apply_moves
from tillpost.journal.states import MOVES, State
from tillpost.journal.tables import events
from tillpost.journal.tables.contacts import written_key
from tillpost.model import Contact, FallbackFile, NotWritten, Payload, WrittenFiles


@attrs.frozen(kw_only=True)
class Batch:
    """Files that were written together. sequence: their place in the order of upload; seqs: receipt id → row."""

    written: WrittenFiles
    sequence: int
    seqs: Mapping[str, int]
    payloads: Mapping[str, Payload]
    contacts: Iterable[Contact]


def insert_batch(
    transaction: Transaction,
    batch: Batch,
    now: float,
    step: str,
    *,
    reviewed: bool,
    reason: str = "",
    allowed: Mapping[State, frozenset[State]] = MOVES,
) -> None:
    """Insert the files, move their receipts and mark their contacts. reviewed: the files may be uploaded."""
    contacts = {contact.key: contact for contact in batch.contacts}
    for position, file in enumerate(batch.written.files):
        first, last = _times(transaction, file, batch.seqs)
        transaction.execute(
            "INSERT INTO files (name, kind, sequence, position, sha256, size, path, rows, keys, state, due,"
            " written_at, reviewed, first_at, last_at) VALUES (?,?,?,?,?,?,?,?,?,'written',?,?,?,?,?)",
            (
                file.name, file.kind, batch.sequence, position, file.sha256, file.size, str(file.path),
                len(file.keys), json.dumps(file.keys), now, now, int(reviewed), first, last,
            ),
        )  # fmt: skip
        if file.kind == "receipts":
            written_now = Move(state=State.WRITTEN, file=file.name, reason=reason)
            apply_moves(transaction, [batch.seqs[key] for key in file.keys], written_now, now, step, allowed)
            matched = [(batch.payloads[key].match.kind, batch.seqs[key]) for key in file.keys]
            transaction.executemany("UPDATE receipts SET matched = ? WHERE seq = ?", matched)
            continue
        for key in file.keys:
            _record_written(transaction, contacts[key], file.name)
            events.record(transaction, now, step, "written to file", contact=key, file=file.name)


def _record_written(transaction: Transaction, contact: Contact, name: str) -> None:
    """Store what files contain of the contact: its attributes, and the identifiers of the file that creates it."""
    in_files, created_by = transaction.execute(
        "SELECT in_files, created_by FROM contacts WHERE key = ?", (contact.key,)
    ).fetchone()
    if created_by:
        keys = [known for known in json.loads(in_files) if ":" in known]
    else:
        keys = [written_key(known) for known in contact.identifiers]
        created_by = "" if contact.contact_id else name
    written = contact.changes() | dict.fromkeys(keys, "")
    transaction.execute(
        "UPDATE contacts SET file = ?, created_by = ?, in_files = ?, looked_at = NULL, compared_at = NULL"
        " WHERE key = ?",
        (name, created_by, json.dumps(written), contact.key),
    )


def forget_file(transaction: Transaction, name: str) -> None:
    """A file is removed before its upload: its contacts count as not written by it."""
    transaction.execute("UPDATE contacts SET created_by = '' WHERE created_by = ?", (name,))
    for key, created_by, in_files in list(
        transaction.execute("SELECT key, created_by, in_files FROM contacts WHERE file = ?", (name,))
    ):
        # A contact that another file creates is still known by the identifiers in that file.
        keys = {known: "" for known in json.loads(in_files) if ":" in known} if created_by else {}
        transaction.execute(
            "UPDATE contacts SET file = ?, in_files = ? WHERE key = ?", (created_by, json.dumps(keys), key)
        )


def hold_refused(transaction: Transaction, batch: Batch, held: Mapping[str, str], now: float, step: str) -> None:
    """Hold receipts that were in a file and are in no new one: they may not be sent by API any more."""
    refused = {each.key: each.reason for each in batch.written.refused if each.key in batch.seqs}
    for receipt_id, reason in {**held, **refused}.items():
        apply_move(transaction, batch.seqs[receipt_id], Move(state=State.HELD, reason=reason), now, step)
    for each in batch.written.refused:
        if each.key not in batch.seqs:
            record_refused(transaction, each, batch.seqs, now)


def record_refused(transaction: Transaction, refused: NotWritten, seqs: Mapping[str, int], now: float) -> None:
    # The receipt cannot be written to a file and stays on the API route.
    seq = seqs.get(refused.key)
    if seq is None:
        events.record(transaction, now, "write", "not in a file", contact=refused.key, reason=refused.reason)
    else:
        events.record(transaction, now, "write", "not in a file", receipt=seq, reason=refused.reason)


def _times(transaction: Transaction, file: FallbackFile, seqs: Mapping[str, int]) -> tuple[str, str]:
    """The earliest and the latest time of what is in the file (ISO 8601), compared as moments."""
    if file.kind == "receipts":
        rows = (
            first(transaction.execute("SELECT created FROM receipts WHERE seq = ?", (seqs[key],))) for key in file.keys
        )
        times = [datetime.fromisoformat(created) for created in rows]
        return (min(times).isoformat(), max(times).isoformat()) if times else ("", "")
    seen = [first(transaction.execute("SELECT seen_at FROM contacts WHERE key = ?", (key,))) for key in file.keys]
    return (iso(min(seen)), iso(max(seen))) if seen else ("", "")

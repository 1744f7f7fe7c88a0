"""Batches: what files were written of, as it is entered into the manifest in one transaction."""

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
    """What files were written of. sequence: before which other files they go up; seqs: receipt id → journal row."""

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
    """The rows of its files, and the moves of its receipts and contacts. reviewed: the files may go up."""
    said = {contact.key: contact for contact in batch.contacts}
    for position, file in enumerate(batch.written.files):
        first, last = _times(transaction, file, batch.seqs)
        transaction.execute(
            "INSERT INTO files (name, kind, sequence, position, sha256, size, path, rows, keys, state, due,"
            " written_at, reviewed, first_at, last_at) VALUES (?,?,?,?,?,?,?,?,?,'written',?,?,?,?,?)",
            (
                file.name, file.kind, batch.sequence, position, file.sha256, file.size, str(file.path),
                len(file.keys), json.dumps(file.keys), now, now, reviewed, first, last,
            ),
        )  # fmt: skip
        if file.kind == "receipts":
            written_now = Move(state=State.WRITTEN, file=file.name, reason=reason)
            apply_moves(transaction, [batch.seqs[key] for key in file.keys], written_now, now, step, allowed)
            matched = [(batch.payloads[key].match.kind, batch.seqs[key]) for key in file.keys]
            transaction.executemany("UPDATE receipts SET matched = ? WHERE seq = ?", matched)
            continue
        for key in file.keys:
            _record_written(transaction, said[key], file.name)
            events.record(transaction, now, step, "written to file", contact=key, file=file.name)


def _record_written(transaction: Transaction, contact: Contact, name: str) -> None:
    """What files have said of the contact: its attributes, and the identifiers of the file that made it."""
    in_files, made = transaction.execute("SELECT in_files, made FROM contacts WHERE key = ?", (contact.key,)).fetchone()
    if made:
        keys = [known for known in json.loads(in_files) if ":" in known]
    else:
        keys = [written_key(known) for known in contact.identifiers]
        made = "" if contact.contact_id else name
    said = contact.changes() | dict.fromkeys(keys, "")
    transaction.execute(
        "UPDATE contacts SET file = ?, made = ?, in_files = ?, looked_at = NULL, compared_at = NULL WHERE key = ?",
        (name, made, json.dumps(said), contact.key),
    )


def forget_file(transaction: Transaction, name: str) -> None:
    """The file is no more: what it has said of contacts nobody has said."""
    transaction.execute("UPDATE contacts SET made = '' WHERE made = ?", (name,))
    for key, made, in_files in list(
        transaction.execute("SELECT key, made, in_files FROM contacts WHERE file = ?", (name,))
    ):
        # One that another file makes is still named by the identifiers of that file.
        keys = {known: "" for known in json.loads(in_files) if ":" in known} if made else {}
        transaction.execute("UPDATE contacts SET file = ?, in_files = ? WHERE key = ?", (made, json.dumps(keys), key))


def hold_refused(transaction: Transaction, batch: Batch, held: Mapping[str, str], now: float, step: str) -> None:
    """Receipts that are in files no more, and that no new file takes: the API route is closed to them, so a person."""
    refused = {each.key: each.reason for each in batch.written.refused if each.key in batch.seqs}
    for receipt_id, reason in {**held, **refused}.items():
        apply_move(transaction, batch.seqs[receipt_id], Move(state=State.HELD, reason=reason), now, step)
    for each in batch.written.refused:
        if each.key not in batch.seqs:
            record_refused(transaction, each, batch.seqs, now)


def record_refused(transaction: Transaction, refused: NotWritten, seqs: Mapping[str, int], now: float) -> None:
    # No file can carry it: it stays on the API route, where it loses nothing but time.
    seq = seqs.get(refused.key)
    if seq is None:
        events.record(transaction, now, "write", "not in a file", contact=refused.key, reason=refused.reason)
    else:
        events.record(transaction, now, "write", "not in a file", receipt=seq, reason=refused.reason)


def _times(transaction: Transaction, file: FallbackFile, seqs: Mapping[str, int]) -> tuple[str, str]:
    """The first and the last time of what is in the file; as they are written, compared as moments."""
    if file.kind == "receipts":
        rows = (
            first(transaction.execute("SELECT created FROM receipts WHERE seq = ?", (seqs[key],))) for key in file.keys
        )
        times = [datetime.fromisoformat(created) for created in rows]
        return (min(times).isoformat(), max(times).isoformat()) if times else ("", "")
    seen = [first(transaction.execute("SELECT seen_at FROM contacts WHERE key = ?", (key,))) for key in file.keys]
    return (iso(min(seen)), iso(max(seen))) if seen else ("", "")

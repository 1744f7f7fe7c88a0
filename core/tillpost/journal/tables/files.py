"""The manifest of the fallback files: written → uploaded → consumed → confirmed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from tillpost.errors import ChangedMeanwhile, JournalError
from tillpost.journal.database import Table, Transaction
from tillpost.journal.moves import Move, apply_move, apply_moves
from tillpost.journal.states import State
from tillpost.journal.tables import events
from tillpost.journal.tables.batches import Batch, forget_file, hold_refused, insert_batch, record_refused
from tillpost.model import FallbackFile


class FileState(StrEnum):
    """The state of a fallback file."""

    WRITTEN = "written"
    """In the fallback folder, fsynced, in the journal."""
    UPLOADED = "uploaded"
    """In the destination's folder, complete."""
    CONSUMED = "consumed"
    """The import has taken it from the destination's folder."""
    CONFIRMED = "confirmed"
    """Its contacts have ids, or its receipts are in the destination's history (or held)."""


@attrs.frozen(kw_only=True)
class FileEntry:
    """A row of the manifest; times in seconds since 1970. reviewed: its contacts were looked up, it may be uploaded."""

    file: FallbackFile
    sequence: int
    rows: int
    state: FileState = attrs.field(converter=FileState)
    due: float
    attempts: int
    reason: str
    reviewed: bool = attrs.field(converter=bool)
    written_at: float
    uploaded_at: float | None
    consumed_at: float | None
    confirmed_at: float | None
    first_at: str
    last_at: str
    """The earliest and the latest time of its receipts, or of its contacts (ISO 8601)."""
    alerted_at: float | None
    """Since when it has been reported as stuck; None when it is not."""
    server: str
    """The file server and folder it was put on last; "" while it was on none."""


@attrs.frozen(kw_only=True)
class Postponed:
    """A file whose step is tried again: as it was when the step began, when it is due, and why."""

    entry: FileEntry
    due: float
    reason: str


OPEN_FILES = (FileState.WRITTEN, FileState.UPLOADED, FileState.CONSUMED)
"""The states in which a file is not finished."""

_COLUMNS = (
    "name, kind, sha256, size, keys, path, sequence, rows, state, due, attempts, reason, reviewed,"
    " written_at, uploaded_at, consumed_at, confirmed_at, first_at, last_at, alerted_at, server"
)


class Files(Table):
    """The files table."""

    def add(self, batch: Batch, now: float) -> None:
        """Insert the files of a batch and move their receipts to `written`, in one commit."""

        def work(transaction: Transaction) -> None:
            insert_batch(transaction, batch, now, "write", reviewed=False)
            for refused in batch.written.refused:
                record_refused(transaction, refused, batch.seqs, now)

        self._database.write(work)

    def replace(
        self,
        old: Sequence[FileEntry],
        batch: Batch,
        held: Mapping[str, str],
        now: float,
        by_api: Mapping[str, str] | None = None,
    ) -> None:
        """Replace files that have not been uploaded by the files of a batch, in one commit.

        held: receipt id → why it is taken out of the files. by_api: the same for those that wait to be sent by API,
        with all their attempts. Raises JournalError when an old file has been uploaded.
        """

        def work(transaction: Transaction) -> None:
            for entry in old:
                sql = "DELETE FROM files WHERE name = ? AND state = 'written' RETURNING name"
                if not transaction.execute(sql, (entry.file.name,)).fetchone():
                    raise JournalError(f"{entry.file.name} is not there to be replaced")
                forget_file(transaction, entry.file.name)
            insert_batch(transaction, batch, now, "review", reviewed=True)
            hold_refused(transaction, batch, held, now, "review")
            for receipt_id, reason in (by_api or {}).items():
                move = Move(state=State.WAITING, due=now, reason=reason)
                apply_move(transaction, batch.seqs[receipt_id], move, now, "review")

        self._database.write(work)

    def resubmit(self, old: FileEntry, batch: Batch, held: Mapping[str, str], now: float) -> None:
        """Move receipts of a file that was imported to the files of a batch, in one commit.

        held: receipt id → why it is not written again.
        """

        def work(transaction: Transaction) -> None:
            left = [key for key in old.file.keys if key not in batch.payloads]
            transaction.execute(
                "UPDATE files SET keys = ?, rows = ? WHERE name = ?", (json.dumps(left), len(left), old.file.name)
            )
            insert_batch(transaction, batch, now, "reconcile", reviewed=True)
            hold_refused(transaction, batch, held, now, "reconcile")

        self._database.write(work)

    def mark_reviewed(self, names: Iterable[str]) -> None:
        """These files may be uploaded as they are."""
        listed = [(name,) for name in names]
        self._database.write(
            lambda transaction: transaction.executemany("UPDATE files SET reviewed = 1 WHERE name = ?", listed)
        )

    def names_unknown_contact(self, name: str) -> bool:
        """Whether a receipts file names a contact that is in conflict, or by a key the destination may not know.

        Such a key belongs to a contact that was not created by a file, was not saved by the import, or is a contactId
        that is no longer valid.
        """
        rows = self._database.read(
            "SELECT 1 FROM receipts r JOIN contacts c ON c.key = r.contact"
            " WHERE r.file = ? AND r.file <> '' AND r.state = 'written' AND"
            " ((c.contact_id = '' AND (c.conflict <> '' OR r.matched = '')) OR (c.contact_id <> '' AND"
            " r.matched <> 'contactId' AND (c.origin <> 'file'"
            " OR replace(c.unsaved, '\"' || r.matched || '\"', '') <> c.unsaved))) LIMIT 1",
            (name,),
        )
        return bool(rows)

    def voided_unsent(self, name: str) -> list[str]:
        """Ids of receipts of a file that their till has voided since, and that have not left: it was never uploaded."""
        rows = self._database.read(
            "SELECT r.id FROM receipts r JOIN files f ON f.name = r.file"
            " WHERE r.file = ? AND r.file <> '' AND r.state = 'written' AND f.attempts = 0 AND f.server = ''"
            " AND EXISTS (SELECT 1 FROM voids WHERE final = 1)"
            " AND EXISTS (SELECT 1 FROM receipts v WHERE v.id = r.id || '#voided' AND v.state = 'held')"
            " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.receipt = r.seq"
            " AND e.what IN ('sending', 'uncertain', 'transferred', 'delivered'))",
            (name,),
        )
        return [str(identity) for (identity,) in rows]

    def move(
        self,
        entry: FileEntry,
        state: FileState,
        now: float,
        due: float = 0.0,
        step: str = "transfer",
        server: str | None = None,
    ) -> None:
        """Set the next state of a file and move its receipts with it. server: where it was put; None: where it is.

        Raises JournalError when the file has another state by now than the entry says: a person had it sent again.
        """

        def work(transaction: Transaction) -> None:
            _check_state(transaction, entry.file.name, (entry.state,))
            column = f"{state}_at"
            transaction.execute(
                "UPDATE files SET state = ?, due = ?, attempts = 0, reason = '', alerted_at = NULL,"  # noqa: S608
                f" {column} = ?, server = ? WHERE name = ?",
                (state, due, now, entry.server if server is None else server, entry.file.name),
            )
            if entry.file.kind == "contacts":
                for key in entry.file.keys:
                    events.record(transaction, now, step, f"file {state}", contact=key, file=entry.file.name)
            elif state is FileState.UPLOADED:
                seqs = _seqs(transaction, entry.file.name, State.WRITTEN)
                apply_moves(transaction, seqs, Move(state=State.TRANSFERRED), now, step)
            elif state is FileState.CONSUMED:
                seqs = _seqs(transaction, entry.file.name)
                events.record_all(transaction, now, step, "file consumed", receipts=seqs, file=entry.file.name)

        self._database.write(work)

    def postpone(self, later: Sequence[Postponed]) -> None:
        """Count an attempt at these files, and set when the next one is due, in one commit.

        One that a person had sent again meanwhile stays due at once.
        """
        rows = [(each.due, each.reason, each.entry.file.name, each.entry.state, each.entry.attempts) for each in later]
        if rows:
            sql = (
                "UPDATE files SET due = ?, attempts = attempts + 1, reason = ?"
                " WHERE name = ? AND state = ? AND attempts = ?"
            )
            self._database.write(lambda transaction: transaction.executemany(sql, rows))

    def mark_stuck(self, name: str, reason: str, now: float) -> None:
        """Mark a file as stuck, with an event; `status` shows it until the file moves on."""

        def work(transaction: Transaction) -> None:
            transaction.execute("UPDATE files SET alerted_at = ? WHERE name = ?", (now, name))
            events.record(transaction, now, "alert", "file stays", file=name, reason=reason)

        self._database.write(work)

    def resend(self, name: str, now: float, reason: str = "sent again") -> None:
        """Upload a file again; Engage ignores receipts it has already.

        Raises JournalError when it is confirmed, or its receipts went by API: its content may be removed by now.
        """

        def work(transaction: Transaction) -> None:
            _check_state(transaction, name, OPEN_FILES)
            transaction.execute(
                "UPDATE files SET state = 'written', due = ?, attempts = 0, reason = ?, alerted_at = NULL"
                " WHERE name = ?",
                (now, reason, name),
            )
            seqs = _seqs(transaction, name, State.TRANSFERRED)
            apply_moves(transaction, seqs, Move(state=State.WRITTEN, reason=f"file {reason}"), now, "transfer")

        self._database.write(work)

    def withdraw(self, entry: FileEntry, due: float, reason: str, now: float) -> int:
        """Follow a file no further: its receipts go by API, and the destination is asked first about those uploaded.

        due: when it is asked. A file that was not uploaded is forgotten; the caller removes it from the disk. Returns
        the number of receipts.
        """

        def work(transaction: Transaction) -> int:
            name = entry.file.name
            written, uploaded = (_seqs(transaction, name, state) for state in (State.WRITTEN, State.TRANSFERRED))
            apply_moves(transaction, written, Move(state=State.WAITING, due=now, reason=reason), now, "withdraw")
            apply_moves(transaction, uploaded, Move(state=State.UNCERTAIN, due=due, reason=reason), now, "withdraw")
            if entry.state is FileState.WRITTEN:
                forget_file(transaction, name)
                transaction.execute("DELETE FROM files WHERE name = ?", (name,))
            else:
                transaction.execute(
                    "UPDATE files SET state = 'confirmed', confirmed_at = ?, reason = ?, alerted_at = NULL"
                    " WHERE name = ?",
                    (now, reason, name),
                )
            return len(written) + len(uploaded)

        return self._database.write(work)

    def all(self) -> list[FileEntry]:
        """Every file, in the order of upload."""
        return self._list("TRUE", ())

    def open(self) -> list[FileEntry]:
        """The files that are not confirmed, in the order of upload."""
        listed = ", ".join(f"'{state}'" for state in OPEN_FILES)
        return self._list(f"state IN ({listed})", ())

    def get(self, name: str) -> FileEntry:
        """By its name."""
        return self._list("name = ?", (name,))[0]

    def _list(self, clause: str, values: tuple[Any, ...]) -> list[FileEntry]:
        rows = self._database.read(
            # By kind: contacts (c) are uploaded before receipts (r) of the same sequence.
            f"SELECT {_COLUMNS} FROM files WHERE {clause} ORDER BY sequence, kind, position",  # noqa: S608 - clauses are ours
            values,
        )
        return [self._entry(row) for row in rows]

    def _entry(self, row: tuple[Any, ...]) -> FileEntry:
        try:
            values = dict(zip(_COLUMNS.split(", "), row, strict=True))
            file = {name: values.pop(name) for name in ("name", "kind", "sha256", "size")}
            keys, path = tuple(json.loads(values.pop("keys"))), Path(values.pop("path"))
            return FileEntry(file=FallbackFile(**file, keys=keys, path=path), **values)
        except (ValueError, TypeError, RecursionError):
            raise self._database.damaged(f"table files, row {row[0]}: makes no sense") from None


def _check_state(transaction: Transaction, name: str, states: Collection[FileState]) -> None:
    row = transaction.execute("SELECT state FROM files WHERE name = ?", (name,)).fetchone()
    if row is None or row[0] not in states:
        state = "no longer in the journal" if row is None else f"{row[0]} by now"
        raise ChangedMeanwhile(f"the file {name} is {state}, and stays as it is")


def _seqs(transaction: Transaction, name: str, state: State | None = None) -> list[int]:
    """The rows of the receipts of a file; state: only those in it."""
    rows = transaction.execute("SELECT seq, state FROM receipts WHERE file = ? AND file <> '' ORDER BY seq", (name,))
    return [seq for seq, current in rows if state is None or current == state]

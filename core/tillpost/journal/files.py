"""The manifest of the outage's files: written → uploaded → consumed → confirmed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import apsw
import attrs

from tillpost.journal import events
from tillpost.journal.contacts import said_key
from tillpost.journal.moves import Move, apply_moves
from tillpost.journal.states import State
from tillpost.journal.store import Store
from tillpost.model import Contact, NotSpooled, Spooled, SpooledFile


class FileState(StrEnum):
    """Where a file of the outage stands."""

    WRITTEN = "written"
    """In the spool folder, fsynced, in the journal."""
    UPLOADED = "uploaded"
    """In the far side's folder, whole."""
    CONSUMED = "consumed"
    """Gone from the far side's folder: its import took it."""
    CONFIRMED = "confirmed"
    """Its contacts have ids, or its receipts show in the far side's history (or are held)."""


@attrs.frozen(kw_only=True)
class FileEntry:
    """A row of the manifest; times in seconds since 1970."""

    file: SpooledFile
    sequence: int
    rows: int
    state: FileState = attrs.field(converter=FileState)
    due: float
    attempts: int
    reason: str
    written_at: float
    uploaded_at: float | None
    consumed_at: float | None
    confirmed_at: float | None


@attrs.frozen(kw_only=True)
class Standing:
    """Where a file stands, without what is in it: of an outage of days there are thousands, looked at all the time."""

    name: str
    kind: str
    sequence: int
    state: FileState = attrs.field(converter=FileState)
    due: float


@attrs.frozen(kw_only=True)
class Later:
    """A file whose step has to be tried again: when it is due, how often it was tried, and why."""

    name: str
    due: float
    attempts: int
    reason: str


OPEN_FILES = (FileState.WRITTEN, FileState.UPLOADED, FileState.CONSUMED)
"""The states in which a file has still to be looked after."""

_COLUMNS = (
    "name, kind, sha256, size, keys, path, sequence, rows, state, due, attempts, reason,"
    " written_at, uploaded_at, consumed_at, confirmed_at"
)


class Files:
    """The files table."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self, spooled: Spooled, sequence: int, seqs: dict[str, int], contacts: Iterable[Contact], now: float
    ) -> None:
        """Enter the files of a batch and move their receipts to `spooled`, in one commit.

        seqs: receipt id → journal row, of the receipts in the batch.
        """
        said = {contact.key: contact for contact in contacts}

        def work(connection: apsw.Connection) -> None:
            for position, file in enumerate(spooled.files):
                connection.execute(
                    "INSERT INTO files (name, kind, sequence, position, sha256, size, path, rows, keys, state, due,"
                    " written_at) VALUES (?,?,?,?,?,?,?,?,?,'written',?,?)",
                    (
                        file.name, file.kind, sequence, position, file.sha256, file.size, str(file.path),
                        len(file.keys), json.dumps(file.keys), now, now,
                    ),
                )  # fmt: skip
                if file.kind == "receipts":
                    spooled_now = Move(state=State.SPOOLED, file=file.name)
                    apply_moves(connection, [seqs[key] for key in file.keys], spooled_now, now, "spool")
                    continue
                for key in file.keys:
                    _note_said(connection, said[key], file.name)
                    events.record(connection, now, "spool", "written to file", contact=key, file=file.name)
            for refused in spooled.refused:
                _note_refused(connection, refused, seqs, now)

        self._store.write(work)

    def move(self, entry: FileEntry, state: FileState, now: float, due: float = 0.0, step: str = "transfer") -> None:
        """The file has come a step further; its receipts go with it."""

        def work(connection: apsw.Connection) -> None:
            column = f"{state}_at"
            connection.execute(
                f"UPDATE files SET state = ?, due = ?, attempts = 0, reason = '', {column} = ? WHERE name = ?",  # noqa: S608
                (state, due, now, entry.file.name),
            )
            if entry.file.kind == "contacts":
                for key in entry.file.keys:
                    events.record(connection, now, step, f"file {state}", contact=key, file=entry.file.name)
            elif state is FileState.UPLOADED:
                seqs = _seqs(connection, entry.file.name, State.SPOOLED)
                apply_moves(connection, seqs, Move(state=State.TRANSFERRED), now, step)
            elif state is FileState.CONSUMED:
                seqs = _seqs(connection, entry.file.name)
                events.record_all(connection, now, step, "file consumed", receipts=seqs, file=entry.file.name)

        self._store.write(work)

    def postpone(self, later: Sequence[Later]) -> None:
        """Their step has to be tried again; in one commit."""
        rows = [(each.due, each.attempts, each.reason, each.name) for each in later]
        if rows:
            sql = "UPDATE files SET due = ?, attempts = ?, reason = ? WHERE name = ?"
            self._store.write(lambda connection: connection.executemany(sql, rows) and None)

    def resend(self, name: str, now: float) -> None:
        """A person sends a file once more; Engage ignores what it has already."""

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE files SET state = 'written', due = ?, attempts = 0, reason = 'sent again' WHERE name = ?",
                (now, name),
            )
            seqs = _seqs(connection, name, State.TRANSFERRED)
            apply_moves(connection, seqs, Move(state=State.SPOOLED, reason="file sent again"), now, "transfer")

        self._store.write(work)

    def all(self) -> list[FileEntry]:
        """Every file, in the order in which they must be transferred."""
        return self._list("1", ())

    def open(self) -> list[FileEntry]:
        """Files not yet confirmed, in the order in which they must be transferred."""
        return self._list("state <> 'confirmed'", ())

    def get(self, name: str) -> FileEntry:
        """By its name."""
        return self._list("name = ?", (name,))[0]

    def standing(self, *states: FileState) -> list[Standing]:
        """The files in one of these states, in the order in which they must be transferred."""
        marks = ", ".join("?" * len(states))
        rows = self._store.read(
            f"SELECT name, kind, sequence, state, due FROM files WHERE state IN ({marks})"  # noqa: S608
            " ORDER BY sequence, position",
            states,
        )
        names = ("name", "kind", "sequence", "state", "due")
        return [Standing(**dict(zip(names, row, strict=True))) for row in rows]

    def open_states(self) -> frozenset[FileState]:
        """In which states there are files that are not confirmed yet; empty: nothing is left to do."""
        exists = ", ".join(f"EXISTS (SELECT 1 FROM files WHERE state = '{state}')" for state in OPEN_FILES)  # noqa: S608
        (found,) = self._store.read(f"SELECT {exists}")
        return frozenset(state for state, there in zip(OPEN_FILES, found, strict=True) if there)

    def counts(self) -> dict[str, int]:
        """How many files stand in each state."""
        found = dict(self._store.read("SELECT state, count(*) FROM files GROUP BY state"))
        return {state: int(found.get(state, 0)) for state in FileState}

    def _list(self, clause: str, values: tuple[Any, ...]) -> list[FileEntry]:
        rows = self._store.read(
            f"SELECT {_COLUMNS} FROM files WHERE {clause} ORDER BY sequence, position",  # noqa: S608 - clauses are ours
            values,
        )
        return [
            FileEntry(
                file=SpooledFile(
                    name=row[0],
                    kind=row[1],
                    sha256=row[2],
                    size=row[3],
                    keys=tuple(json.loads(row[4])),
                    path=Path(row[5]),
                ),
                **dict(zip([name.strip() for name in _COLUMNS.split(",")][6:], row[6:], strict=True)),
            )
            for row in rows
        ]


def _seqs(connection: apsw.Connection, name: str, state: State | None = None) -> list[int]:
    """The receipts of a file, those in one state or all."""
    rows = connection.execute("SELECT seq, state FROM receipts WHERE file = ? AND file <> '' ORDER BY seq", (name,))
    return [seq for seq, stands in rows if state is None or stands == state]


def _note_said(connection: apsw.Connection, contact: Contact, name: str) -> None:
    """What files have said of the contact: its attributes, and the identifiers of the file that made it."""
    spooled, made = connection.execute("SELECT spooled, file FROM contacts WHERE key = ?", (contact.key,)).get
    if made:
        keys = [known for known in json.loads(spooled) if ":" in known]
    else:
        keys = [said_key(known) for known in contact.identifiers]
    said = contact.changes() | dict.fromkeys(keys, "")
    connection.execute("UPDATE contacts SET file = ?, spooled = ? WHERE key = ?", (name, json.dumps(said), contact.key))


def _note_refused(connection: apsw.Connection, refused: NotSpooled, seqs: dict[str, int], now: float) -> None:
    # No file can carry it: it stays on the API route, where it loses nothing but time.
    seq = seqs.get(refused.key)
    if seq is None:
        events.record(connection, now, "spool", "not in a file", contact=refused.key, reason=refused.reason)
    else:
        events.record(connection, now, "spool", "not in a file", receipt=seq, reason=refused.reason)

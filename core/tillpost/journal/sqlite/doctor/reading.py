"""Opens a journal for examination: the file itself when it is undamaged and up to date, else a repaired copy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalError, UsageError
from tillpost.journal.sqlite.commit_mark import Mark, read_mark
from tillpost.journal.sqlite.connection import opened
from tillpost.journal.sqlite.doctor.damage import Damage, Progress
from tillpost.journal.sqlite.doctor.salvage import MAGIC, copy, problems, rebuild
from tillpost.journal.sqlite.doctor.wal_damage import left_wal_fault, wal_damage
from tillpost.journal.sqlite.locks import ExclusiveLock
from tillpost.journal.sqlite.replace_file import finish_replacement, pending_replacement
from tillpost.journal.sqlite.schema import UPGRADES, refuse_newer, upgrade
from tillpost.journal.sqlite.sqlite_errors import as_journal_error
from tillpost.journal.sqlite.wal_check import examine_wal

WORK = "repair-"
"""Prefix of the folders for copies; the next repair removes those that a killed one left."""


@attrs.frozen(kw_only=True)
class Reading:
    """connection: in a transaction. schema: of the file. pages: the messages of SQLite's check.

    damages: of its WAL, and what was lost while its rows were copied; none when WAL and pages are undamaged.
    """

    connection: apsw.Connection
    schema: int
    pages: list[str]
    damages: list[Damage]
    mark: Mark | None
    """What was acknowledged, as of before the transaction."""


def journal_path(folder: Path) -> Path:
    """The file of the journal. Raises JournalError when there is none."""
    path = folder / "journal.db"
    if not path.exists() and not pending_replacement(path).exists():
        raise JournalError(f"{folder}: there is no journal yet; `tillpost run` or `tillpost accept` makes one")
    return path if path.exists() else pending_replacement(path)


@contextmanager
def reading(folder: Path, progress: Progress = lambda text: None) -> Iterator[Reading]:
    """Open the journal of a state folder without changing it, also while `run` uses it.

    An older journal needs room for a copy, which is upgraded, and a damaged one for two.
    """
    path = journal_path(folder)
    fault, mark = left_wal_fault(path), read_mark(path)
    if fault is None:
        with _connected(path) as connection:
            progress("checking the pages")
            found = problems(connection)
            schema = 0 if found else int(connection.pragma("user_version"))
            refuse_newer(schema)
            if schema == len(UPGRADES):
                yield Reading(connection=connection, schema=schema, pages=[], damages=[], mark=mark)
                return
    with work(folder) as place:
        with writes_blocked(path) if fault is None else nullcontext():
            copy(path, place / "copy.db")
        schema, readable = schema_of(place / "copy.db"), place / "copy.db"
        damages = list(wal_damage(path, fault))
        with opened(readable) as connection:  # which differs from what SQLite makes of an empty file, or of the WAL
            found = problems(connection)
        if found:
            readable = place / "new.db"
            damages += rebuild(place / "copy.db", readable, progress)
        with opened(readable) as connection:
            upgrade(connection)
            yield Reading(connection=connection, schema=schema, pages=found, damages=damages, mark=mark)


@contextmanager
def _connected(path: Path) -> Iterator[apsw.Connection]:
    """The journal itself, in a transaction that reads; where damage prevents that, without one."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise as_journal_error(error, path) from error
    try:
        connection.set_busy_timeout(30_000)
        with suppress(apsw.Error):
            connection.execute("BEGIN")
        yield connection
    finally:
        connection.close(True)


def table_names(connection: apsw.Connection) -> list[str]:
    """The tables of a journal; those that others refer to come first."""
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid"
    return [name for (name,) in connection.execute(sql)]


def schema_of(path: Path) -> int:
    """The schema's version, from the header of the file (sqlite.org/fileformat2.html, offset 60)."""
    with path.open("rb") as file:
        schema = int.from_bytes(file.read(64)[60:64], "big")
    refuse_newer(schema)
    return schema


@contextmanager
def work(folder: Path) -> Iterator[Path]:
    """A private folder for copies, beside the journal so that a copy can be renamed into its place."""
    try:
        place = Path(tempfile.mkdtemp(prefix=WORK, dir=folder))  # 0700
    except OSError as error:
        raise as_journal_error(error, folder) from error
    try:
        yield place
    except (apsw.Error, OSError) as error:
        raise as_journal_error(error, folder / "journal.db") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def exclusive_work(folder: Path) -> Iterator[Path]:
    """As `work`, while no other process has the journal open. Raises StateFolderBusy when one has."""
    with ExclusiveLock(folder):
        finish_replacement(folder / "journal.db")
        for left in folder.glob(f"{WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        with work(folder) as place:
            yield place


def require_journal(path: Path, what: str) -> None:
    """Raise UsageError when there is no such file, JournalError when it is not `what` or newer than this Tillpost."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise JournalError(f"{path} is not {what}; nothing was changed")
    schema_of(path)


@contextmanager
def copied(path: Path, folder: Path) -> Iterator[Path]:
    """A copy of a journal that is kept under another name, as a state folder of its own. Raises JournalError when it is
    none, is damaged, or newer than this Tillpost, UsageError when it is not there."""
    require_journal(path, "a journal")
    with work(folder) as place:
        copy(path, place / "journal.db")
        with opened(place / "journal.db") as connection:
            found = problems(connection)
        if found:
            raise JournalError(f"{path} is damaged: {found[0]}; nothing was changed")
        yield place


def kept_path(path: Path, why: str, now: float) -> Path:
    """A name that is not taken for the journal that is replaced: journal.db.WHY-TIME."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{path.name}.{why}-{stamp}{f'-{number}' if number else ''}" for number in count())
    return next(kept for name in names if not (kept := path.with_name(name)).exists())


@contextmanager
def writes_blocked(path: Path) -> Iterator[None]:
    """No process commits inside the block: writers wait. When damage prevents the lock, no process can commit."""
    connection = None
    try:
        with suppress(apsw.Error):
            connection = apsw.Connection(str(path))
            connection.set_busy_timeout(30_000)
            connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        if connection is not None:
            with suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close(True)


def repaired_copy(path: Path, place: Path, progress: Progress, shared: bool) -> tuple[Path, list[Damage], list[str]]:
    """A copy with undamaged pages and the newest schema; what was lost; the messages of SQLite's check."""
    copied, new = place / "copy.db", place / "new.db"
    damages = list(wal_damage(path, left_wal_fault(path) if shared else examine_wal(path)))
    progress("copying the journal")
    copy(path, copied)
    schema_of(copied)
    with opened(copied) as connection:
        progress("checking the pages")
        if not (found := problems(connection)):
            upgrade(connection)
            return copied, damages, []
    return new, damages + rebuild(copied, new, progress), found

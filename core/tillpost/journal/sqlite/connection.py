"""Connections to the SQLite file: settings, closing after a failure, and the WAL of an earlier process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from tillpost.journal.sqlite.sqlite_errors import PATIENCE

WAL_BOUND = 16 << 20
"""Bytes above which the WAL is truncated as soon as no reader uses it; the disk of a shop PC is small."""

REUSABLE = 2
"""auto_vacuum=INCREMENTAL: pages that retention frees can be given back to the disk. It can be set on a file without
tables only; an older file gets it by `tillpost journal compact`."""


def connect(path: Path) -> apsw.Connection:
    """A connection with the settings every journal has. Raises apsw.Error."""
    with suppress(OSError):  # it is there; what fails otherwise SQLite meets and names
        create_private(path)
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(PATIENCE)
        if not connection.pragma("page_count"):
            connection.pragma("auto_vacuum", REUSABLE)  # on an existing file this would be a write
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", True)
        connection.pragma("mmap_size", 0)  # an error of a mapped file ends the process by a signal
        connection.pragma("journal_size_limit", WAL_BOUND)
        connection.pragma("wal_autocheckpoint", 0)  # Store does it, and sees its errors
    except BaseException:
        abandon(connection)
        raise
    return connection


def create_private(path: Path) -> None:
    """Create an empty file for a database. Raises FileExistsError.

    A journal holds personal data, and SQLite gives the files beside a database its mode. The umask would not do: it is
    that of all threads, and two that set and restore it at once leave it set.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def next_generation(connection: apsw.Connection) -> None:
    """Count the generation of the WAL, in the transaction that begins one.

    The count is in the first page (as `application_id`), so the file and each WAL tell whether they belong together.
    It starts at random: a WAL of another journal has another one.
    """
    connection.pragma("application_id", int(connection.pragma("application_id")) % 0x7FFFFFFF + 1)


def first_generation(connection: apsw.Connection) -> None:
    """Begin to count, in a journal that has not begun."""
    if not connection.pragma("application_id"):
        connection.pragma("application_id", int.from_bytes(os.urandom(4), "big") >> 3 or 1)


@contextmanager
def opened(path: Path, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) -> Iterator[apsw.Connection]:
    """A connection with SQLite's own settings, closed at the end of the block. Raises apsw.Error."""
    connection = apsw.Connection(str(path), flags=flags)
    try:
        yield connection
    finally:
        connection.close(True)


def rewrite_wal(wal: Path) -> None:
    """Write and sync the WAL again before SQLite reads it. No other process may have it open.

    After a failed sync its end may be in the page cache only, marked as written. SQLite would treat it as committed,
    checkpoint it and append to it; a power cut could then damage the file, or lose later commits.
    """
    if not wal.exists() or not wal.stat().st_size:
        return
    try:
        file = apsw.VFSFile("", str(wal), [apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READWRITE, 0])
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        return  # nothing can be committed either
    try:
        size = file.xFileSize()
        for at in range(0, size, _BLOCK):
            file.xWrite(file.xRead(min(_BLOCK, size - at), at), at)
        file.xSync(apsw.SQLITE_SYNC_NORMAL)
    finally:
        file.xClose()


_BLOCK = 1 << 16
"""SQLite writes less than 128 KiB in one call, and reports the rest as a full disk."""


def abandon(connection: apsw.Connection) -> None:
    """Close without a checkpoint, which would sync on a handle whose sync has failed."""
    with suppress(apsw.Error):
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    with suppress(apsw.Error):
        connection.close(True)

"""A connection to the SQLite file: its settings, how it is given up, and what is done before a left WAL is believed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import apsw

from tillpost.journal.sqlite.sqlite_errors import PATIENCE

WAL_BOUND = 16 << 20
"""Bytes beyond which the WAL is cut to nothing as soon as no reader needs it; the disk of a shop PC is small."""

REUSABLE = 2
"""auto_vacuum=INCREMENTAL: pages that retention frees can be given back to the disk. Only a file without tables takes
it; one from before has it after `tillpost journal compact`."""


def connect(path: Path) -> apsw.Connection:
    """A connection with the settings every journal has. Raises apsw.Error."""
    old = os.umask(0o077)  # the journal holds personal data
    try:
        connection = apsw.Connection(str(path))
    finally:
        os.umask(old)
    try:
        connection.set_busy_timeout(PATIENCE)
        if not connection.pragma("page_count"):
            connection.pragma("auto_vacuum", REUSABLE)  # of a file that is there already this would be a write
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", True)
        connection.pragma("mmap_size", 0)  # an error of a mapped disk is a signal that ends the process
        connection.pragma("journal_size_limit", WAL_BOUND)
        connection.pragma("wal_autocheckpoint", 0)  # the Store does it, and sees what comes of it
    except BaseException:
        abandon(connection)
        raise
    return connection


def rewrite_wal(wal: Path) -> None:
    """Write and sync a WAL once more, when nobody else has it open, before SQLite believes in what it holds.

    After a failed sync its end may be in the page cache only, marked as written. SQLite would take it for committed,
    carry it into the file and append to it; a power cut would then tear the file, or take later commits along.
    """
    if not wal.exists() or not wal.stat().st_size:
        return
    try:
        file = apsw.VFSFile("", str(wal), [apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READWRITE, 0])
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        return  # nothing can be acknowledged on it either
    try:
        size = file.xFileSize()
        for at in range(0, size, _BLOCK):
            file.xWrite(file.xRead(min(_BLOCK, size - at), at), at)
        file.xSync(apsw.SQLITE_SYNC_NORMAL)
    finally:
        file.xClose()


_BLOCK = 1 << 16
"""SQLite writes less than 128 KiB at a call, and takes what is left over for a full disk."""


def abandon(connection: apsw.Connection) -> None:
    """Close without a checkpoint: that would sync on a handle whose sync has failed."""
    with suppress(apsw.Error):
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    with suppress(apsw.Error):
        connection.close(True)

"""Errors of SQLite and of the system as errors of the journal, with the next step."""

from __future__ import annotations

from pathlib import Path

import apsw

from tillpost.errors import DiskFailed, JournalDamaged, JournalError, JournalFull, NotCommitted
from tillpost.journal.sqlite.platform import FAILING, FULL, READ_ONLY, trouble

PATIENCE = 30_000
"""Milliseconds to wait for the lock of another process."""
SQLITE = (apsw.Error, UnicodeDecodeError)
"""Errors of reading a row; UnicodeDecodeError for damaged text, which is not quoted in messages."""
_READING = {apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS}


def as_journal_error(error: BaseException, path: Path) -> JournalError:
    """The JournalError for an error of SQLite or of the system."""
    if isinstance(error, JournalError):
        return error
    code = error.extendedresult if isinstance(error, apsw.Error) and hasattr(error, "extendedresult") else 0
    if isinstance(error, UnicodeDecodeError):
        return JournalDamaged(f"{path}: a row has text that is not UTF-8", path.parent)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError) or code in _READING:
        return JournalDamaged(f"{path}: {type(error).__name__}: {error}", path.parent)
    if isinstance(error, apsw.BusyError):
        return NotCommitted(f"{path}: another process kept it locked for {PATIENCE // 1000} s")
    if isinstance(error, apsw.FullError):
        return disk_full(path)
    if isinstance(error, apsw.IOError | apsw.CantOpenError | apsw.ReadOnlyError | OSError):
        problem = trouble(path.parent)
        if problem == FULL:
            return disk_full(path)
        if problem == READ_ONLY or isinstance(error, apsw.ReadOnlyError):
            return NotCommitted(
                f"{path}: the disk or the file is read-only; new receipts are refused until it can be written"
            )
        if problem == FAILING or isinstance(error, apsw.IOError):
            return DiskFailed(f"{path}: the disk failed ({error}); look at the kernel's log")
    text = error.strerror if isinstance(error, OSError) else error
    return JournalError(f"{path}: {type(error).__name__}: {text}")


def disk_full(path: Path) -> JournalFull:
    """The error for a disk without room."""
    return JournalFull(
        f"{path}: no room on the disk (bytes or inodes); new receipts are refused until there is some, nothing"
        " accepted is harmed"
    )

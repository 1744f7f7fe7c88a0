"""When the paths of a journal lead elsewhere: saves what only this process can read, and knows the right file."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path

import apsw

from tillpost.errors import JournalDamaged
from tillpost.journal.sqlite.commit_mark import LAST_EVENT, TOKEN
from tillpost.journal.sqlite.connection import create_private, opened
from tillpost.journal.sqlite.file_identity import read_header
from tillpost.journal.sqlite.replace_file import sync
from tillpost.journal.sqlite.wal_check import require_own_wal


def save_copy(connection: apsw.Connection, path: Path) -> Path | None:
    """Copy what a connection reads to `journal.db.rescued` beside the journal; None when that cannot be written."""
    names = (path.with_name(f"{path.name}.rescued{f'-{number}' if number else ''}") for number in count())
    to = next(name for name in names if not name.exists())
    try:
        create_private(to)
        with opened(to) as copy:
            with copy.backup("main", connection, "main") as steps:
                steps.step(-1)
            copy.pragma("journal_mode", "delete")
        sync(to)
        sync(to.parent)
    except (apsw.Error, OSError):
        with suppress(OSError):
            to.unlink()
        return None
    return to


def is_right_file(path: Path, token: str, event: int) -> bool:
    """Whether the file at the path is this journal, with everything that was acknowledged."""
    if read_header(path) is None:
        return False
    try:
        require_own_wal(path)
        with opened(path, apsw.SQLITE_OPEN_READWRITE) as connection:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            return bool(connection.execute(TOKEN).get == token and connection.execute(LAST_EVENT).get >= event)
    except (apsw.Error, JournalDamaged):
        return False


def set_aside(path: Path) -> Path | None:
    """Rename a file that is not the journal's own; None when there is none."""
    names = (path.with_name(f"{path.name}.foreign{f'-{number}' if number else ''}") for number in count())
    to = next(name for name in names if not name.exists())
    try:
        os.rename(path, to)  # noqa: PTH104
    except FileNotFoundError:
        return None
    return to

"""Compact: a copy of the journal without its free pages replaces it, which gives their space back to the disk."""

from __future__ import annotations

from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalError, JournalFull
from tillpost.journal.sqlite.connection import REUSABLE, create_private, opened
from tillpost.journal.sqlite.doctor.damage import Progress
from tillpost.journal.sqlite.doctor.reading import exclusive_work, journal_path, schema_of
from tillpost.journal.sqlite.platform import room
from tillpost.journal.sqlite.replace_file import replace_journal, sync
from tillpost.journal.sqlite.schema import refuse_newer


@attrs.frozen
class Compacted:
    """Bytes the journal had, and has."""

    before: int
    after: int


def compact(folder: Path, progress: Progress = lambda text: None) -> Compacted:
    """Replace the journal of a state folder by a compact copy. The caller holds its RunLock.

    Afterwards retention can give pages back, also in a journal of an older version. A crash leaves the old one or the
    new one. Raises JournalFull when there is no room for a copy, JournalDamaged when it is damaged
    (`repair` first), StateFolderBusy while another command has it open.
    """
    with exclusive_work(folder) as place:
        path = journal_path(folder)
        schema_of(path)
        before = sum(each.stat().st_size for each in (path, path.with_name(f"{path.name}-wal")) if each.exists())
        if (free := room(folder)[0]) < before:
            raise JournalFull(
                f"{folder}: compacting needs {before >> 20} MiB for a copy, and there are {free >> 20} MiB; nothing was"
                " changed"
            )
        new = place / "new.db"
        create_private(new)
        with opened(path, apsw.SQLITE_OPEN_READWRITE) as connection:
            refuse_newer(int(connection.pragma("user_version")))  # as the WAL has it
            progress("copying the journal")
            connection.pragma("auto_vacuum", REUSABLE)
            connection.execute("VACUUM INTO ?", (str(new),))
        progress("checking the copy")
        with opened(new, apsw.SQLITE_OPEN_READONLY) as connection:
            found = connection.execute("PRAGMA quick_check(1)").get
        if found != "ok":
            raise JournalError(f"{path}: the copy is damaged: {found}; nothing was changed")
        sync(new)
        replace_journal(path, new, place / "old.db")
        return Compacted(before, path.stat().st_size)

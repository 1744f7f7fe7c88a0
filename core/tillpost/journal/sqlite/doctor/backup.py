"""Backup: a consistent copy of a journal while receipts flow, as one file that needs nothing beside it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalError, UsageError
from tillpost.journal.sqlite.connection import opened
from tillpost.journal.sqlite.doctor.damage import Progress
from tillpost.journal.sqlite.doctor.reading import journal_path
from tillpost.journal.sqlite.doctor.salvage import problems
from tillpost.journal.sqlite.locks import OpenLock
from tillpost.journal.sqlite.replace_file import sync
from tillpost.journal.sqlite.sqlite_errors import PATIENCE, as_journal_error

_PAGES = 4096
"""Pages that are copied and synced in one step: a single sync at the end would delay other commits."""


@attrs.frozen(kw_only=True)
class Backed:
    """A backup: the number of its receipts, its size in bytes, and the schema of the journal."""

    path: Path
    receipts: int
    bytes: int
    schema: int


def backup(folder: Path, to: Path, now: float, progress: Progress = lambda text: None) -> Backed:
    """Copy the journal of a state folder as of now, also while `run` uses it.

    to: a new file, or an existing folder, where the file is named by state folder and time. The file is readable by
    its owner only and appears when it is complete and synced. Raises UsageError when it exists, JournalDamaged or
    JournalError when the copy fails its check; then there is no file.
    """
    path = journal_path(folder)
    if to.is_dir():
        to /= f"{folder.name}-{datetime.fromtimestamp(now, UTC).strftime('%Y%m%dT%H%M%SZ')}.db"
    if to.exists():
        raise UsageError(f"{to} exists; name a new file")
    presence = OpenLock(folder / "journal.db")  # no repair may replace the file meanwhile
    part = to.with_name(f".{to.name}.part")
    try:
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        except OSError as error:
            raise as_journal_error(error, part) from error
        try:
            backed = _copied(path, part, progress)
            sync(part)
            os.link(part, to)  # a rename would overwrite a file that appeared meanwhile
            sync(to.parent)
        except FileExistsError:
            raise UsageError(f"{to} exists; name a new file") from None
        except (apsw.Error, OSError) as error:
            raise as_journal_error(error, to) from error
        finally:
            part.unlink(missing_ok=True)
        return attrs.evolve(backed, path=to)
    finally:
        presence.release()


def _copied(path: Path, part: Path, progress: Progress) -> Backed:
    with opened(path, apsw.SQLITE_OPEN_READWRITE) as source, opened(part) as copy:
        source.set_busy_timeout(PATIENCE)
        copy.pragma("synchronous", "off")
        # In a transaction the copy is of one moment; without it each commit of `run` would start it again.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018 - the first read begins it
        with copy.backup("main", source, "main") as steps:
            while not steps.done:
                steps.step(_PAGES)
                sync(part)
                progress(f"{steps.page_count - steps.remaining} of {steps.page_count} pages")
        source.execute("COMMIT")
        copy.pragma("journal_mode", "delete")
        progress("checking the copy")
        if found := problems(copy):
            raise JournalError(f"{path}: the copy is damaged: {found[0]}; `tillpost journal verify` has more")
        receipts = copy.execute("SELECT count(*) FROM receipts").get
        return Backed(path=part, receipts=receipts, bytes=part.stat().st_size, schema=int(copy.pragma("user_version")))

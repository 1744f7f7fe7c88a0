"""Backup: a consistent copy of a journal while receipts flow, as one file that needs nothing beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalError, UsageError
from tillpost.journal.sqlite.doctor.reading import journal_path
from tillpost.journal.sqlite.doctor.salvage import problems
from tillpost.journal.sqlite.locks import OpenLock
from tillpost.journal.sqlite.replace_file import sync
from tillpost.journal.sqlite.sqlite_errors import PATIENCE, as_journal_error

_PAGES = 4096
"""Pages a step, which is then synced: one sync of all at the end would keep the syncs of who commits waiting."""


@attrs.frozen(kw_only=True)
class Backed:
    """A backup. receipts: in it; bytes: its size; schema: of the journal, as it was."""

    path: Path
    receipts: int
    bytes: int
    schema: int


def backup(folder: Path, to: Path, now: float, progress: Callable[[str], None] = lambda text: None) -> Backed:
    """Copy the journal of a state folder, beside a `run` or without one, as of the moment this begins.

    to: a new file, or a folder that is there, in which it is named by state folder and time. The file is readable by
    its owner only and appears when it is whole and on the disk. Raises UsageError when it is there already,
    JournalDamaged or JournalError when the copy does not prove whole; then there is none.
    """
    path = journal_path(folder)
    if to.is_dir():
        to /= f"{folder.name}-{datetime.fromtimestamp(now, UTC).strftime('%Y%m%dT%H%M%SZ')}.db"
    if to.exists():
        raise UsageError(f"{to} exists; name a new file")
    presence = OpenLock(folder / "journal.db")  # no repair puts another file in its place meanwhile
    made = to.with_name(f".{to.name}.part")
    try:
        try:
            os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        except OSError as error:
            raise as_journal_error(error, made) from error
        try:
            backed = _copied(path, made, progress)
            sync(made)
            os.link(made, to)  # and not a rename, which would overwrite what has appeared there meanwhile
            sync(to.parent)
        except FileExistsError:
            raise UsageError(f"{to} exists; name a new file") from None
        except (apsw.Error, OSError) as error:
            raise as_journal_error(error, to) from error
        finally:
            made.unlink(missing_ok=True)
        return attrs.evolve(backed, path=to)
    finally:
        presence.release()


def _copied(path: Path, made: Path, progress: Callable[[str], None]) -> Backed:
    source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    copy = apsw.Connection(str(made))
    try:
        source.set_busy_timeout(PATIENCE)
        copy.pragma("synchronous", "off")
        # In a transaction what it copies is as of now: else each commit of the `run` would make it begin again.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018 - the first read is what begins it
        with copy.backup("main", source, "main") as steps:
            while not steps.done:
                steps.step(_PAGES)
                sync(made)
                progress(f"{steps.page_count - steps.remaining} of {steps.page_count} pages")
        source.execute("COMMIT")
        copy.pragma("journal_mode", "delete")
        progress("proving the copy")
        if said := problems(copy):
            raise JournalError(f"{path}: the copy does not prove whole: {said[0]}; `tillpost journal verify` says more")
        receipts = copy.execute("SELECT count(*) FROM receipts").get
        return Backed(path=made, receipts=receipts, bytes=made.stat().st_size, schema=int(copy.pragma("user_version")))
    finally:
        copy.close(True)
        source.close(True)

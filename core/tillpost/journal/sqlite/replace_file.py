"""Replacing the journal by a repaired or restored one; after a crash it is the one or the other, complete.

SQLite would apply an old WAL to the new file, so the file and its WAL must be replaced together. The rename to
`journal.db.repaired` decides; the steps after it are repeated by the next process that opens the journal.
"""

from __future__ import annotations

import os
from pathlib import Path

from tillpost.journal.sqlite.commit_mark import mark_path


def pending_replacement(path: Path) -> Path:
    """The new journal while its replacement is decided and not finished."""
    return path.with_name(f"{path.name}.repaired")


def replace_journal(path: Path, new: Path, kept: Path | None) -> None:
    """Replace the journal by `new`, which is synced, and keep the old one beside it under the name `kept`."""
    for end in ("", "-wal"):
        old = path.with_name(path.name + end)
        if kept is not None and old.exists():
            os.link(old, kept.with_name(kept.name + end))
    sync(path.parent)
    new.rename(pending_replacement(path))
    sync(path.parent)
    finish_replacement(path)


def finish_replacement(path: Path) -> None:
    """Do the remaining steps of a decided replacement; nothing when there is none."""
    if not pending_replacement(path).exists():
        return
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    mark_path(path).unlink(missing_ok=True)  # of what the replaced one had acknowledged
    sync(path.parent)  # before the rename: the new file must never be seen beside the old WAL
    pending_replacement(path).rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Sync a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

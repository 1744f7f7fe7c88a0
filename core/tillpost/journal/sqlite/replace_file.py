"""A repaired or restored journal takes the place of the old one; a crash leaves the one or the other, whole.

A stale WAL beside a new file would be carried into it, so the file and its WAL must change as one. The rename to
`journal.db.repaired` is what decides; what comes after it is repeated by whoever opens the journal next.
"""

from __future__ import annotations

import os
from pathlib import Path


def pending_replacement(path: Path) -> Path:
    """A whole journal whose replacement has been decided and not finished."""
    return path.with_name(f"{path.name}.repaired")


def replace_journal(path: Path, new: Path, kept: Path | None) -> None:
    """Put `new`, synced, in the place of the journal, and keep the old one, if any, beside it under the name `kept`."""
    for end in ("", "-wal"):
        old = path.with_name(path.name + end)
        if kept is not None and old.exists():
            os.link(old, kept.with_name(kept.name + end))
    sync(path.parent)
    new.rename(pending_replacement(path))
    sync(path.parent)
    finish_replacement(path)


def finish_replacement(path: Path) -> None:
    """What remains to be done once the replacement is decided; nothing when there is none."""
    if not pending_replacement(path).exists():
        return
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    sync(path.parent)  # before the rename: the new file must never be seen beside the old WAL
    pending_replacement(path).rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

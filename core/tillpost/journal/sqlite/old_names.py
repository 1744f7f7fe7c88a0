"""Files of a state folder that earlier versions named otherwise, brought to their names of today."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import apsw

from tillpost.journal.sqlite.replace_file import sync

_SPOOL, _FALLBACK = "spool", "fallback"


def rename_old_files(connection: apsw.Connection, folder: Path) -> None:
    """Rename `spool` to `fallback`, with the paths in the manifest, and `in_hand` to `crash_marks`.

    The paths are committed before the folder is renamed, and both are done by every process that opens a journal
    beside which a `spool` still stands: a crash between the two is finished by the next one. A file whose name is
    taken in `fallback` stays where it is; nothing is overwritten.
    """
    marks = folder / "in_hand"
    if marks.exists() and not (folder / "crash_marks").exists():
        marks.rename(folder / "crash_marks")
    old, new = folder / _SPOOL, folder / _FALLBACK
    if not old.is_dir():
        return
    rows = list(connection.execute("SELECT name, path FROM files WHERE path LIKE ?", (f"%/{_SPOOL}/%",)))
    changed = [(path, name) for name, stored in rows if (path := _renamed(Path(stored), folder)) != stored]
    if changed:
        with connection:
            connection.executemany("UPDATE files SET path = ? WHERE name = ?", changed)
    if not new.exists():
        old.rename(new)
    else:
        for left in sorted([old, *old.rglob("*")], reverse=True):  # a folder after what is in it
            target = new / left.relative_to(old)
            if left.is_dir():
                with suppress(OSError):  # something stays in it
                    left.rmdir()
            elif not target.exists():
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                left.rename(target)
    sync(folder)


def _renamed(path: Path, folder: Path) -> str:
    """The path below `fallback` of one below the state folder's `spool`; any other as it is."""
    for at, part in enumerate(path.parts):
        if part == _SPOOL and Path(*path.parts[:at]).resolve() == folder.resolve():
            return str(Path(*path.parts[:at], _FALLBACK, *path.parts[at + 1 :]))
    return str(path)

"""Checkpoints of the WAL: when one is due, and how the WAL's file is kept small."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import apsw

from tillpost.journal.sqlite.connection import WAL_BOUND
from tillpost.journal.sqlite.platform import room
from tillpost.journal.sqlite.sqlite_errors import PATIENCE

CHECKPOINT = 1000
"""Pages in the WAL after which it is checkpointed."""
LOW_SPACE = 64 << 20
"""Free bytes on the disk below which the WAL is kept as small as possible."""
_LOW_SPACE_PAGES = 64
_LATER = (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError)
"""A reader or another process uses the WAL, or nothing can be committed anyway: it is tried again later."""


class Checkpoints:
    """The WAL behind one writing connection. Errors of the disk come out as apsw.IOError."""

    def __init__(self, path: Path, writer: apsw.Connection) -> None:
        self._path, self._writer = path, writer
        self.pages = 0
        """Pages in the WAL as of the last commit."""
        self.begins = True
        """Whether the next commit may be the first of a new generation of the WAL."""
        self._at = CHECKPOINT
        writer.set_wal_hook(self._committed)

    def _committed(self, _: apsw.Connection, __: str, pages: int) -> int:
        self.begins = pages <= self.pages  # another process has started the WAL again
        self.pages = pages
        return apsw.SQLITE_OK

    def checkpoint_left(self) -> None:
        """Checkpoint the WAL of an earlier process and start with an empty one."""
        with suppress(*_LATER):
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def is_due(self) -> bool:
        """Whether the WAL is long enough, or the disk short of room."""
        return self.pages >= self._at or (self.pages >= _LOW_SPACE_PAGES and room(self._path.parent)[0] < LOW_SPACE)

    def checkpoint(self) -> None:
        """Checkpoint the WAL. While a reader prevents it, it is tried again later."""
        try:
            frames, carried = self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            whole = frames == carried
            self.begins = self.begins or whole
            self._at = CHECKPOINT if whole else self.pages + CHECKPOINT
            if whole and frames:
                self.truncate()
        except _LATER:
            self._at = self.pages + CHECKPOINT

    def truncate(self) -> bool:
        """Truncate the WAL when no reader uses it any more; costs one stat when there is nothing to do (False)."""
        wal = self._path.with_name(f"{self._path.name}-wal")
        try:
            bound = _LOW_SPACE_PAGES << 12 if room(self._path.parent)[0] < LOW_SPACE else WAL_BOUND
            if wal.stat().st_size <= bound:
                return False
        except OSError:
            return False
        self._writer.set_busy_timeout(0)
        try:
            with suppress(*_LATER):  # next time
                self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            self._writer.set_busy_timeout(PATIENCE)
        return True

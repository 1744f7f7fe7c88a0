"""What an open journal stands on: the files behind its paths, and the mark of what was acknowledged."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import apsw

from tillpost.journal.sqlite.commit_mark import LAST_EVENT, TOKEN, CommitMark, Mark
from tillpost.journal.sqlite.displaced import is_right_file, save_copy, set_aside
from tillpost.journal.sqlite.file_identity import FileIdentity
from tillpost.journal.sqlite.locks import OpenLock
from tillpost.journal.sqlite.wal import HEADER, wal_salts


class Ground:
    """The ground under one pair of connections; another one when they are opened again."""

    def __init__(self, path: Path, writer: apsw.Connection, presence: OpenLock) -> None:
        self._path, self._writer, self._presence = path, writer, presence
        self.token = str(writer.execute(TOKEN).get)
        self.last_event = int(writer.execute(LAST_EVENT).get)
        self.displaced = ""
        """Why nothing is acknowledged: the sentence for people. "" while the files are the right ones."""
        self._refused: tuple[int, ...] = ()
        self.identity = FileIdentity(path)
        self._mark = CommitMark.open(path)
        self._wal: int | None = None
        with suppress(OSError):
            self._wal = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)

    def note(self, frames: int, event: int) -> None:
        """Note a commit in the mark, before it is acknowledged. frames: in the WAL; event: the last one."""
        if self._mark is not None and self._wal is not None:
            self._mark.write(Mark(self.token, wal_salts(os.pread(self._wal, HEADER, 0)), frames, event))

    def leave(self, problem: str, connection: apsw.Connection) -> str:
        """Stop acknowledging because of a problem of the files; the sentence for people.

        What only this process can still read is saved beside the path. Not with a WAL that is gone: its pages are
        carried into the journal.
        """
        way_back = "and work goes on by itself when the files are back"
        lost = not self.identity.is_only_beside() and self._presence.is_of(self._path.parent)
        if lost and (saved := save_copy(connection, self._path)):
            way_back = f"everything acknowledged is saved in {saved}: rename it to {self._path.name}, and work goes on"
        self.displaced = f"{problem}; nothing more is acknowledged, {way_back}"
        return self.displaced

    def may_reopen(self, event: int) -> bool:
        """Whether opening the path again goes on with everything that was acknowledged, up to this event."""
        if self.identity.is_only_beside():
            with self._presence.alone() as alone:
                return alone and self._carry()
        try:
            stand = os.stat(self._path)  # noqa: PTH116
        except OSError:
            return False
        seen = stand.st_dev, stand.st_ino, stand.st_size, stand.st_mtime_ns
        if seen == self._refused:
            return False
        if is_right_file(self._path, self.token, event):
            return True
        self._refused = seen
        return False

    def _carry(self) -> bool:
        """Carry the WAL that only this process has into the journal, and set aside what took its place."""
        try:
            frames, carried = self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if frames == carried and self.identity.lacks("-wal"):
                set_aside(self._path.with_name(f"{self._path.name}-wal"))
        except (apsw.Error, OSError):
            return False
        return bool(frames == carried)

    def close(self) -> None:
        """Close the mark and the WAL."""
        if self._mark is not None:
            self._mark.close()
        if self._wal is not None:
            os.close(self._wal)
        self._mark = self._wal = None

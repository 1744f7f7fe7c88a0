"""The file of a journal, opened: two connections, the checkpoints of its WAL, and the ground it stands on."""

from __future__ import annotations

from pathlib import Path

import apsw

from tillpost.errors import JournalError
from tillpost.journal.sqlite.checkpoints import Checkpoints
from tillpost.journal.sqlite.connection import abandon, connect, first_generation, rewrite_wal
from tillpost.journal.sqlite.ground import Ground
from tillpost.journal.sqlite.locks import OpenLock
from tillpost.journal.sqlite.old_names import rename_old_files
from tillpost.journal.sqlite.schema import upgrade
from tillpost.journal.sqlite.sqlite_errors import as_journal_error
from tillpost.journal.sqlite.wal_check import require_content, require_end, require_own_wal, require_whole_wal, wal_path


class JournalFile:
    """Opened by the constructor, which raises JournalError.

    The WAL that another process has left is examined before SQLite trusts it.
    """

    def __init__(self, path: Path, presence: OpenLock) -> None:
        self.path = path
        opened: list[apsw.Connection] = []
        try:
            with presence.alone() as alone:
                if alone:
                    require_content(path)
                    rewrite_wal(wal_path(path))
                    require_own_wal(path)
                opened.append(connect(path))
                if alone:
                    require_whole_wal(path, opened[0])
                upgrade(opened[0], alone=alone)
                first_generation(opened[0])
                if alone:
                    require_end(path, opened[0])
                rename_old_files(opened[0], path.parent)
            opened.append(connect(path))
            self.writer, self.reader = opened
            self.checkpoints = Checkpoints(path, self.writer)
            self.ground = Ground(path, self.writer, presence)
        except BaseException as error:
            for connection in opened:
                abandon(connection)  # without a checkpoint: the doctor reads the WAL as it is
            if isinstance(error, apsw.Error | OSError) and not isinstance(error, JournalError):
                raise as_journal_error(error, path) from error
            raise

    def begin_new_wal(self) -> None:
        """Checkpoint the WAL of an earlier process. Raises JournalError; the connections are closed then."""
        try:
            self.checkpoints.checkpoint_left()
            self.ground.identity.take_content()
        except (apsw.Error, OSError) as error:
            self.abandon()
            raise as_journal_error(error, self.path) from error

    def checkpoint(self) -> None:
        """Checkpoint the WAL when that is due. Raises apsw.IOError."""
        if not self.ground.displaced and self.checkpoints.is_due():
            self.checkpoints.checkpoint()
            self.ground.identity.take_content()

    def truncate(self) -> None:
        """Truncate the WAL when it is large and no reader uses it. Raises apsw.IOError."""
        if self.checkpoints.truncate():
            self.ground.identity.take_content()

    def abandon(self) -> None:
        """Close without a checkpoint."""
        abandon(self.writer)
        abandon(self.reader)
        self.ground.close()

    def close(self) -> None:
        """Close both connections; SQLite checkpoints the WAL and removes it."""
        if self.ground.identity.problem():
            self.abandon()  # SQLite would remove the WAL of the file that is at the path now
            return
        self.reader.close()
        self.writer.close()
        self.ground.close()

"""The SQLite engine: opens the file, joins commits into groups, and handles a disk that fails.

The library comes with apsw (3.54): the WAL-reset bug of SQLite 3.7.0 to 3.51.2 is fixed there, so several
connections may write and checkpoint (docs/decisions/0003-journal.md). A library without the fix is refused.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import apsw
import attrs

from tillpost.errors import DiskFailed, JournalDamaged, JournalDisplaced, JournalError, NotCommitted, describe
from tillpost.journal.database import Transaction
from tillpost.journal.sqlite.commit_mark import LAST_EVENT
from tillpost.journal.sqlite.connection import next_generation
from tillpost.journal.sqlite.crash_marks import CrashMarks
from tillpost.journal.sqlite.figures import Figures
from tillpost.journal.sqlite.journal_file import JournalFile
from tillpost.journal.sqlite.locks import OpenLock
from tillpost.journal.sqlite.outside_mark import OutsideMarks
from tillpost.journal.sqlite.platform import require_safe_library, room, trouble, unsuitable_folder
from tillpost.journal.sqlite.reserve import Reserve
from tillpost.journal.sqlite.sqlite_errors import SQLITE, as_journal_error, disk_full

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.journal")

GROUP = 100
"""Most jobs in one commit: larger groups gain little, and a failure repeats more (docs/decisions/0003)."""


@attrs.define(eq=False)
class _Job:
    work: Callable[[Transaction], Any]
    done: bool = False
    result: Any = None
    error: BaseException | None = None


class Store(Figures):
    """One journal file. Writes of all threads are joined into group commits; reads have their own connection."""

    def __init__(self, path: Path, marks: OutsideMarks | None = None) -> None:
        """marks: where it is noted outside the folder how far the journal has come."""
        require_safe_library()
        if reason := unsuitable_folder(path.parent):
            raise JournalError(f"{reason}; name a local folder as `state`")
        self.path = path
        self._reserve = Reserve(path)
        self._marks = marks or OutsideMarks(path.parent, ())
        self.crash_marks = CrashMarks(path.with_name("crash_marks"))
        self._queue: deque[_Job] = deque()
        self._gate = threading.Lock()
        self._reading = threading.RLock()
        self._broken = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._presence = OpenLock(path)
        except OSError as error:
            raise as_journal_error(error, path) from error
        try:
            self._reserve.release(self.room()[0] or 1)
            self._file = JournalFile(path, self._presence)
            self._file.begin_new_wal()
        except BaseException:
            self._presence.release()
            raise
        self._acknowledged = self._file.ground.last_event
        """The last event of an acknowledged commit; whatever is opened later must have it."""
        self.last_event = self._acknowledged
        """The last one as of the opening."""

    @property
    def token(self) -> str:
        """The token of the journal, which its copies share."""
        return self._file.ground.token

    def remember(self) -> bool:
        """Note outside the folder how far the journal has come; False when that could be written nowhere."""
        return self._marks.write(self.token, self._acknowledged)

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        """Run `work` in a transaction and return its result once that is on the disk.

        Jobs that wait at the same time share a commit, each in a savepoint of its own: an exception undoes only the job
        that raised it. Raises NotCommitted (JournalFull when the disk is full) when it was not committed,
        JournalDamaged and DiskFailed when the file cannot be trusted any more.
        """
        job = _Job(work)
        self._queue.append(job)
        with self._gate:
            if not job.done:
                self._commit_group()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[no-any-return]

    def _commit_group(self) -> None:
        jobs = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
        alone = len(jobs) == 1
        try:
            if self._broken:
                self._reopen()
            if self._file.ground.displaced:
                self._return()
            writer, checkpoints = self._file.writer, self._file.checkpoints
            writer.execute("BEGIN IMMEDIATE")
            for job in jobs:
                try:
                    # A savepoint costs a copy of each page, so a single job has none.
                    with nullcontext() if alone else writer:
                        job.result = job.work(writer)
                except Exception as error:
                    job.error = as_journal_error(error, self.path) if isinstance(error, SQLITE) else error
                    if alone or writer.in_transaction is False or isinstance(error, apsw.IOError):
                        raise
            last = writer.execute("SELECT max(seq) FROM events").get
            if begins := checkpoints.begins:
                next_generation(writer)
            writer.execute("COMMIT")
            checkpoints.begins = checkpoints.begins and not begins
            self._require_ground()
            self._acknowledged = last or 0
            self._file.ground.note(checkpoints.pages, self._acknowledged)
        except Exception as error:  # noqa: BLE001 - nothing of the group is on the disk: every job says so
            raised = self._undo(error)
            for job in jobs:
                if not (alone and job.error is error):  # a single job raises its own error
                    job.error = raised
        finally:
            for job in jobs:
                job.done = True
        if not self._broken:
            self._keep_up(self._file.checkpoint)

    def _undo(self, error: Exception) -> JournalError:
        if isinstance(error, apsw.IOError):
            # A failed sync is never repeated on the same handle: the kernel has marked the pages as clean, and a
            # second sync would report success for pages that were not written (docs/decisions/0007).
            return self._replace_connections(error)
        if not self._broken and self._file.writer.in_transaction:
            with suppress(apsw.Error):
                self._file.writer.execute("ROLLBACK")
        if isinstance(error, apsw.FullError):
            self._reserve.release()
            self._keep_up(self._file.checkpoints.checkpoint)  # frees the room of pages that are in the WAL twice
        return as_journal_error(error, self.path)

    def _replace_connections(self, error: apsw.Error) -> JournalError:
        """After a failure of the disk: open new connections and verify them."""
        self._broken = True
        with self._reading:
            self._file.abandon()
        cause = as_journal_error(error, self.path)
        try:
            self._reopen()
        except JournalError as again:
            _log.error("%s", again)
            return again
        _log.error("%s; the journal was reopened and what it had acknowledged is there", cause)
        if isinstance(cause, NotCommitted):
            return cause
        return NotCommitted(f"{cause}; not acknowledged, the journal was reopened")

    def _reopen(self) -> None:
        """Open new connections, and write and sync everything acknowledged again before they are used."""
        with self._reading:
            try:
                file = JournalFile(self.path, self._presence)
            except (DiskFailed, JournalDamaged):
                raise
            except JournalError as error:
                raise NotCommitted(f"{error}; nothing is acknowledged until it can be opened") from error
            try:
                # The WAL is durable now (`rewrite_wal`); after the checkpoint the file is as well.
                file.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._verify(file.writer)
                file.ground.identity.take_content()
            except BaseException as error:
                file.abandon()
                if isinstance(error, apsw.BusyError):
                    raise NotCommitted(
                        f"{self.path}: the disk failed, and another process keeps the WAL from being written again;"
                        " nothing is acknowledged until it lets go"
                    ) from error
                if isinstance(error, apsw.Error):
                    raise as_journal_error(error, self.path) from error
                raise
            self._file, self._broken = file, False

    def _verify(self, connection: apsw.Connection) -> None:
        answer = connection.execute("PRAGMA quick_check(1)").get
        if answer != "ok":
            raise JournalDamaged(f"{self.path}: after the disk failed: {answer}", self.path.parent)
        if connection.execute(LAST_EVENT).get < self._acknowledged:
            raise DiskFailed(f"{self.path}: the disk failed, and what was acknowledged is not there any more")

    def _keep_up(self, work: Callable[[], None]) -> None:
        """Do something about the WAL; everything acknowledged is in it or in the file, whatever fails."""
        try:
            work()
        except apsw.IOError as error:
            self._replace_connections(error)

    def _require_ground(self) -> None:
        """Raise JournalDisplaced when the paths of the journal lead elsewhere: nothing is acknowledged then."""
        ground = self._file.ground
        if problem := ground.identity.problem():
            with self._reading:
                sentence = ground.leave(problem, self._file.reader)
            _log.error("%s", sentence)
            raise JournalDisplaced(sentence)

    def _return(self) -> None:
        """Go on when the right files are back. Raises JournalDisplaced while they are not."""
        ground = self._file.ground
        if not ground.identity.problem():
            ground.displaced = ""
        elif ground.may_reopen(self._acknowledged):
            self._broken = True
            with self._reading:
                self._file.abandon()
            self._reopen()
        else:
            raise JournalDisplaced(ground.displaced)
        _log.warning("%s: the journal is back; commits are acknowledged again", self.path)

    def tidy(self) -> None:
        """Upkeep, and a look whether the files are still there; costs some stats when there is nothing to do."""
        with self._gate:
            if self._broken:
                return
            if self._file.ground.displaced:
                self._return()
            self._require_ground()
            self.remember()
            self._reserve.keep(*self.room())
            self._keep_up(self._file.truncate)

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as of the last commit."""
        if self._broken:
            with self._gate:
                if self._broken:
                    self._reopen()
        with self._reading:
            try:
                return list(self._file.reader.execute(sql, values))
            except SQLITE as error:
                raise as_journal_error(error, self.path) from error

    def damaged(self, what: str) -> JournalDamaged:
        """The error for a row that makes no sense; what: names the table and the row."""
        return JournalDamaged(f"{self.path}: {what}", self.path.parent)

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the disk of the file, and how large the disk is."""
        return room(self.path.parent)

    def require_room(self) -> None:
        """Raise JournalFull while what room there is belongs to deliveries. Costs a stat."""
        if self._reserve.is_released(self.room):
            raise disk_full(self.path)

    def trouble(self) -> str:
        """Why nothing can be committed now; "" when a test commit and a test write have just succeeded."""
        try:
            self.write(lambda transaction: None)
        except JournalError as error:
            return describe(error)
        return trouble(self.path.parent)

    def close(self) -> None:
        """Close both connections; SQLite checkpoints the WAL."""
        self.crash_marks.close()
        with self._gate, self._reading:
            if not self._broken:
                self.remember()
                self._file.close()
            self._presence.release()

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

from tillpost.errors import DiskFailed, JournalDamaged, JournalError, NotCommitted, describe
from tillpost.journal.database import Transaction
from tillpost.journal.sqlite.connection import WAL_BOUND, abandon, connect, rewrite_wal
from tillpost.journal.sqlite.crash_marks import CrashMarks
from tillpost.journal.sqlite.locks import OpenLock
from tillpost.journal.sqlite.old_names import rename_old_files
from tillpost.journal.sqlite.platform import require_safe_library, room, trouble, unsuitable_folder
from tillpost.journal.sqlite.schema import upgrade
from tillpost.journal.sqlite.sqlite_errors import PATIENCE, SQLITE, as_journal_error

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.journal")

GROUP = 100
"""Most jobs in one commit: larger groups gain little, and a failure repeats more (docs/decisions/0003)."""
CHECKPOINT = 1000
"""Pages in the WAL after which it is checkpointed."""
RELEASED = 64
"""Pages that are given back to the disk at a time."""
SLACK = 16
"""The part of the file (one in so many pages) that may stay free, because new rows use it again."""
LOW_SPACE = 64 << 20
"""Free bytes on the disk below which the WAL is kept as small as possible."""
_LOW_SPACE_PAGES = 64


@attrs.define(eq=False)
class _Job:
    work: Callable[[Transaction], Any]
    done: bool = False
    result: Any = None
    error: BaseException | None = None


class Store:
    """One journal file. Writes of all threads are joined into group commits; reads have their own connection."""

    def __init__(self, path: Path) -> None:
        require_safe_library()
        if reason := unsuitable_folder(path.parent):
            raise JournalError(f"{reason}; name a local folder as `state`")
        self.path = path
        self.crash_marks = CrashMarks(path.with_name("crash_marks"))
        self._queue: deque[_Job] = deque()
        self._gate = threading.Lock()
        self._reading = threading.RLock()
        self._broken = False
        self._acknowledged = 0
        """The last event of an acknowledged commit; after a failure of the disk it must be in the file."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._presence = OpenLock(path)
        except OSError as error:
            raise as_journal_error(error, path) from error
        try:
            self._open()
            self._checkpoint_left_wal()
        except BaseException:
            self._presence.release()
            raise

    def _open(self) -> None:
        opened: list[apsw.Connection] = []
        try:
            with self._presence.alone() as alone:
                if alone:
                    rewrite_wal(self.path.with_name(f"{self.path.name}-wal"))
                opened.append(connect(self.path))
                upgrade(opened[0], alone=alone)
                rename_old_files(opened[0], self.path.parent)
            opened.append(connect(self.path))
        except (apsw.Error, OSError) as error:
            for connection in opened:
                abandon(connection)
            raise as_journal_error(error, self.path) from error
        except JournalError:
            for connection in opened:
                connection.close()
            raise
        self._writer, self._reader = opened
        self._pages, self._checkpoint_at = 0, CHECKPOINT
        self._writer.set_wal_hook(self._committed)

    def _checkpoint_left_wal(self) -> None:
        """Checkpoint the WAL of an earlier process and start with an empty one."""
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError):
            pass  # another process uses the WAL, or nothing can be committed anyway
        except apsw.Error as error:
            abandon(self._writer)
            abandon(self._reader)
            raise as_journal_error(error, self.path) from error

    def _committed(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

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
            self._writer.execute("BEGIN IMMEDIATE")
            for job in jobs:
                try:
                    # A savepoint costs a copy of each page, so a single job has none.
                    with nullcontext() if alone else self._writer:
                        job.result = job.work(self._writer)
                except Exception as error:
                    job.error = as_journal_error(error, self.path) if isinstance(error, SQLITE) else error
                    if alone or self._writer.in_transaction is False or isinstance(error, apsw.IOError):
                        raise
            last = self._writer.execute("SELECT max(seq) FROM events").get
            self._writer.execute("COMMIT")
            self._acknowledged = last or 0
        except Exception as error:  # noqa: BLE001 - nothing of the group is on the disk: every job says so
            raised = self._undo(error)
            for job in jobs:
                if not (alone and job.error is error):  # a single job raises its own error
                    job.error = raised
        finally:
            for job in jobs:
                job.done = True
        if not self._broken and (
            self._pages >= self._checkpoint_at or (self._pages >= _LOW_SPACE_PAGES and self.room()[0] < LOW_SPACE)
        ):
            self._checkpoint()

    def _undo(self, error: Exception) -> JournalError:
        if isinstance(error, apsw.IOError):
            # A failed sync is never repeated on the same handle: the kernel has marked the pages as clean, and a
            # second sync would report success for pages that were not written (docs/decisions/0007).
            return self._replace_connections(error)
        if not self._broken and self._writer.in_transaction:
            with suppress(apsw.Error):
                self._writer.execute("ROLLBACK")
        if isinstance(error, apsw.FullError):
            self._checkpoint()  # frees the room of pages that are in the WAL twice
        return as_journal_error(error, self.path)

    def _replace_connections(self, error: apsw.Error) -> JournalError:
        """After a failure of the disk: open new connections and verify them."""
        self._broken = True
        with self._reading:
            abandon(self._writer)
            abandon(self._reader)
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
                self._open()
            except (DiskFailed, JournalDamaged):
                raise
            except JournalError as error:
                raise NotCommitted(f"{error}; nothing is acknowledged until it can be opened") from error
            try:
                # The WAL is durable now (`rewrite_wal`); after the checkpoint the file is as well.
                self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._verify()
            except BaseException as error:
                abandon(self._writer)
                abandon(self._reader)
                if isinstance(error, apsw.BusyError):
                    raise NotCommitted(
                        f"{self.path}: the disk failed, and another process keeps the WAL from being written again;"
                        " nothing is acknowledged until it lets go"
                    ) from error
                if isinstance(error, apsw.Error):
                    raise as_journal_error(error, self.path) from error
                raise
            self._broken = False

    def _verify(self) -> None:
        answer = self._writer.execute("PRAGMA quick_check(1)").get
        if answer != "ok":
            raise JournalDamaged(f"{self.path}: after the disk failed: {answer}", self.path.parent)
        last = self._writer.execute("SELECT max(seq) FROM events").get or 0
        if last < self._acknowledged:
            raise DiskFailed(f"{self.path}: the disk failed, and what was acknowledged is not there any more")

    def _checkpoint(self) -> None:
        """Checkpoint the WAL. While a reader prevents it, it is tried again later."""
        try:
            frames, carried = self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            whole = frames == carried
            self._checkpoint_at = CHECKPOINT if whole else self._pages + CHECKPOINT
            if whole and frames:
                self._truncate_wal()
        except apsw.IOError as error:
            self._replace_connections(error)  # everything acknowledged is still in the WAL
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError):
            self._checkpoint_at = self._pages + CHECKPOINT

    def tidy(self) -> None:
        """Truncate the WAL when no reader uses it any more; costs one stat when there is nothing to do."""
        with self._gate:
            if not self._broken:
                try:
                    self._truncate_wal()
                except apsw.IOError as error:
                    self._replace_connections(error)

    def _truncate_wal(self) -> None:
        wal = self.path.with_name(f"{self.path.name}-wal")
        try:
            bound = _LOW_SPACE_PAGES << 12 if self.room()[0] < LOW_SPACE else WAL_BOUND
            if wal.stat().st_size <= bound:
                return
        except OSError:
            return
        self._writer.set_busy_timeout(0)
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError):
            pass  # a reader uses it, or the disk is full: next time
        finally:
            self._writer.set_busy_timeout(PATIENCE)

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as of the last commit."""
        if self._broken:
            with self._gate:
                if self._broken:
                    self._reopen()
        with self._reading:
            try:
                return list(self._reader.execute(sql, values))
            except SQLITE as error:
                raise as_journal_error(error, self.path) from error

    def damaged(self, what: str) -> JournalDamaged:
        """The error for a row that makes no sense; what: names the table and the row."""
        return JournalDamaged(f"{self.path}: {what}", self.path.parent)

    def schema(self) -> int:
        """The version of the tables."""
        return self._pragma("user_version")

    def used_bytes(self) -> int:
        """Bytes of the pages that are in use."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self.read(f"PRAGMA {name}")[0][0])

    def sizes(self) -> dict[str, int]:
        """Bytes of the journal's file and of its WAL."""
        return {"journal": _size(self.path), "wal": _size(self.path.with_name(f"{self.path.name}-wal"))}

    def release_space(self) -> bool:
        """Give some free pages back to the disk; False when few are free, or the file is too old for it."""
        free = self._pragma("freelist_count")
        if not self._pragma("auto_vacuum") or free <= max(RELEASED, self._pragma("page_count") // SLACK):
            return False
        # It returns a row for each page: only pages whose rows are fetched are given back.
        self.write(lambda transaction: transaction.execute(f"PRAGMA incremental_vacuum({RELEASED})").fetchall())
        return True

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the disk of the file, and how large the disk is."""
        return room(self.path.parent)

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
            self._reader.close()
            self._writer.close()
            self._presence.release()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

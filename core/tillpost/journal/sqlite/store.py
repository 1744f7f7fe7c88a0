"""The SQLite file: how it is opened, how commits are grouped, and what becomes of it when the disk fails.

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
from tillpost.journal.sqlite.platform import narrow, require_safe_library, room, trouble, unsuitable_folder
from tillpost.journal.sqlite.schema import upgrade
from tillpost.journal.sqlite.sqlite_errors import PATIENCE, SQLITE, as_journal_error

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.journal")

GROUP = 100
"""Most jobs in one commit: beyond it a group gains little and a failure repeats more (docs/decisions/0003)."""
CHECKPOINT = 1000
"""Pages in the WAL after which it is carried into the file."""
RELEASED = 64
"""Pages that are given back to the disk at a time."""
SLACK = 16
"""The part of the file that may be free before pages are given back: what comes in takes it up again."""
LOW_SPACE = 64 << 20
"""Bytes of room below which the WAL is kept as small as it can be: it must not take the last room there is."""
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
        """The last event a commit of ours was acknowledged with; after a failure of the disk it must be there."""
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
        """A WAL that was left is carried into the file at once, and the WAL begins anew."""
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError):
            pass  # another process has it open, and so knows its state; or nothing can be acknowledged anyway
        except apsw.Error as error:
            abandon(self._writer)
            abandon(self._reader)
            raise as_journal_error(error, self.path) from error

    def _committed(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        """Run `work` in a transaction and return its result once that is on the disk.

        Jobs of other threads that wait at the same time go into the same commit, each in a savepoint of its
        own: an exception undoes only the job that raised it. Raises NotCommitted (JournalFull when there is no
        room) when the disk did not take it, JournalDamaged and DiskFailed when nothing can be promised any more.
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
                    # A savepoint inside the transaction; it costs a copy of each page, so none where none is needed.
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
                if not (alone and job.error is error):  # what the only job raised is its own error
                    job.error = raised
        finally:
            for job in jobs:
                job.done = True
        if not self._broken and (
            self._pages >= self._checkpoint_at
            or (self._pages >= _LOW_SPACE_PAGES and narrow(self.path.parent, LOW_SPACE))
        ):
            self._checkpoint()

    def _undo(self, error: Exception) -> JournalError:
        if isinstance(error, apsw.IOError):
            # A sync that failed is never repeated on its handle: the kernel has marked the pages as clean, and a
            # second sync would say "written" of what is not (docs/decisions/0007).
            return self._replace_connections(error)
        if not self._broken and self._writer.in_transaction:
            with suppress(apsw.Error):
                self._writer.execute("ROLLBACK")
        if isinstance(error, apsw.FullError):
            self._checkpoint()  # what the WAL holds twice is room
        return as_journal_error(error, self.path)

    def _replace_connections(self, error: apsw.Error) -> JournalError:
        """The disk failed under the connections: they are given up, and new ones must prove themselves."""
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
        """New connections, on which everything acknowledged is written and synced anew before they are trusted."""
        with self._reading:
            try:
                self._open()
            except DiskFailed:
                raise
            except JournalDamaged:
                raise
            except JournalError as error:
                raise NotCommitted(f"{error}; nothing is acknowledged until it can be opened") from error
            try:
                # What is in the WAL is durable now (`rewrite_wal`). Carried into the file, it is so twice.
                self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._verify()
            except BaseException as error:
                abandon(self._writer)
                abandon(self._reader)
                if isinstance(error, apsw.BusyError):
                    raise NotCommitted(
                        f"{self.path}: the disk failed, and another process keeps the WAL from being written anew;"
                        " nothing is acknowledged until it lets go"
                    ) from error
                if isinstance(error, apsw.Error):
                    raise as_journal_error(error, self.path) from error
                raise
            self._broken = False

    def _verify(self) -> None:
        said = self._writer.execute("PRAGMA quick_check(1)").get
        if said != "ok":
            raise JournalDamaged(f"{self.path}: after the disk failed: {said}", self.path.parent)
        last = self._writer.execute("SELECT max(seq) FROM events").get or 0
        if last < self._acknowledged:
            raise DiskFailed(f"{self.path}: the disk failed, and what was acknowledged is not there any more")

    def _checkpoint(self) -> None:
        """Carry the WAL into the file. A reader may keep it from that: then it is tried again a while later."""
        try:
            frames, carried = self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            whole = frames == carried
            self._checkpoint_at = CHECKPOINT if whole else self._pages + CHECKPOINT
            if whole and frames:
                self._truncate_wal()
        except apsw.IOError as error:
            self._replace_connections(error)  # everything is in the WAL still: what was acknowledged stays so
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError):
            self._checkpoint_at = self._pages + CHECKPOINT

    def tidy(self) -> None:
        """When a reader had pinned the WAL and is gone: cut it to nothing. To be called now and then; costs a stat."""
        with self._gate:
            if not self._broken:
                try:
                    self._truncate_wal()
                except apsw.IOError as error:
                    self._replace_connections(error)

    def _truncate_wal(self) -> None:
        wal = self.path.with_name(f"{self.path.name}-wal")
        try:
            bound = _LOW_SPACE_PAGES << 12 if narrow(self.path.parent, LOW_SPACE) else WAL_BOUND
            if wal.stat().st_size <= bound:
                return
        except OSError:
            return
        self._writer.set_busy_timeout(0)
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError):
            pass  # a reader needs it still, or there is no room: the next time
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
        """The error of a reader that met a row it cannot make sense of; `what` names table and row."""
        return JournalDamaged(f"{self.path}: {what}", self.path.parent)

    def schema(self) -> int:
        """The version of the tables."""
        return self._pragma("user_version")

    def used_bytes(self) -> int:
        """Bytes of the pages that hold something."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self.read(f"PRAGMA {name}")[0][0])

    def sizes(self) -> dict[str, int]:
        """Bytes of the journal's file and of its WAL."""
        return {"journal": _size(self.path), "wal": _size(self.path.with_name(f"{self.path.name}-wal"))}

    def release_space(self) -> bool:
        """Give a few free pages back to the disk; False when there are few, or the file is from before it could."""
        free = self._pragma("freelist_count")
        if not self._pragma("auto_vacuum") or free <= max(RELEASED, self._pragma("page_count") // SLACK):
            return False
        # A row a page: all must be fetched, or only one page is given back.
        self.write(lambda transaction: transaction.execute(f"PRAGMA incremental_vacuum({RELEASED})").fetchall())
        return True

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the disk of the file, and how large the disk is."""
        return room(self.path.parent)

    def trouble(self) -> str:
        """Why nothing could be committed now; "" when a commit and a write beside it have just gone through."""
        try:
            self.write(lambda transaction: None)
        except JournalError as error:
            return describe(error)
        return trouble(self.path.parent)

    def close(self) -> None:
        """Close both connections; the WAL is checkpointed into the file."""
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

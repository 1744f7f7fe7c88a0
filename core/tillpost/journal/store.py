"""The SQLite file: how it is opened, how commits are grouped, and who may run on it.

The library comes with apsw (3.54): the WAL-reset bug of SQLite 3.7.0 to 3.51.2 is fixed there, so several
connections may write and checkpoint (docs/decisions/0003-journal.md).
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import apsw
import attrs

from tillpost.errors import JournalError, JournalFull, StateFolderBusy
from tillpost.journal.schema import upgrade

_T = TypeVar("_T")

GROUP = 100
"""Most jobs in one commit: beyond it a group gains little and a failure repeats more (docs/decisions/0003)."""


@attrs.define(eq=False)
class _Job:
    work: Callable[[apsw.Connection], Any]
    done: bool = False
    result: Any = None
    error: BaseException | None = None


class Store:
    """One journal file. Writes of all threads are joined into group commits; reads have their own connection."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._queue: deque[_Job] = deque()
        self._gate = threading.Lock()
        self._reading = threading.RLock()
        try:
            self._writer = _open(path)
            upgrade(self._writer)
            self._reader = _open(path)
        except apsw.Error as error:
            raise _named(error, path) from error

    def write(self, work: Callable[[apsw.Connection], _T]) -> _T:
        """Run `work` in a transaction and return its result once that is on the disk.

        Jobs of other threads that wait at the same time go into the same commit, each in a savepoint of its
        own: an exception undoes only the job that raised it. Raises JournalFull when there is no room.
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
            self._writer.execute("BEGIN IMMEDIATE")
            for job in jobs:
                try:
                    # A savepoint inside the transaction; it costs a copy of each page, so none where none is needed.
                    with nullcontext() if alone else self._writer:
                        job.result = job.work(self._writer)
                except Exception as error:
                    job.error = _named(error, self.path) if isinstance(error, apsw.Error) else error
                    if alone or self._writer.in_transaction is False:
                        raise
            self._writer.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - nothing of the group is on the disk: every job says so
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            for job in jobs:
                job.error = job.error or _named(error, self.path)
        finally:
            for job in jobs:
                job.done = True

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as of the last commit."""
        with self._reading:
            try:
                return list(self._reader.execute(sql, values))
            except apsw.Error as error:
                raise _named(error, self.path) from error

    def close(self) -> None:
        """Close both connections; the WAL is checkpointed into the file."""
        with self._gate, self._reading:
            self._reader.close()
            self._writer.close()


def _open(path: Path) -> apsw.Connection:
    old = os.umask(0o077)  # the journal holds personal data
    try:
        connection = apsw.Connection(str(path))
    finally:
        os.umask(old)
    connection.set_busy_timeout(30_000)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("foreign_keys", True)
    connection.pragma("journal_size_limit", 64 << 20)
    return connection


def _named(error: BaseException, path: Path) -> JournalError:
    if isinstance(error, JournalError):
        return error
    if isinstance(error, apsw.FullError):
        return JournalFull(f"{path}: no room on the disk; new receipts are refused until there is some")
    return JournalError(f"{path}: {type(error).__name__}: {error}")


class RunLock:
    """Held by the one process that runs the line on a state folder; a kill -9 releases it with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = (folder / "run.lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise StateFolderBusy(
                f"{folder}: another `tillpost run` works on this state folder; stop it, or use another `state`"
            ) from None

    def release(self) -> None:
        """Let another process run."""
        self._file.close()

"""Reading the journal beside the pipeline: on a connection of its own that cannot write, with a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import apsw

from tillpost.errors import JournalError
from tillpost.journal.database import Transaction
from tillpost.journal.sqlite.crash_marks import CrashMarks
from tillpost.journal.sqlite.sqlite_errors import SQLITE, as_journal_error
from tillpost.journal.sqlite.store import Store

_T = TypeVar("_T")
WITHIN = 2.0
"""Seconds a query may take: a long reader keeps the WAL growing."""
_STEPS = 20_000
"""Steps of SQLite's virtual machine between two checks of the time: some milliseconds."""


class Reading(Store):
    """Reads a journal file that this process has open for its pipeline, without locks the pipeline waits for."""

    def __init__(self, path: Path, within: float = WITHIN) -> None:
        self.path = path
        self.crash_marks = CrashMarks(path.with_name("crash_marks"))
        self._alone = threading.Lock()
        self._until = 0.0
        self._within = within
        try:
            self._connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)
        except apsw.Error as error:
            raise as_journal_error(error, path) from error
        self._connection.set_busy_timeout(round(within * 1000))
        self._connection.pragma("mmap_size", 0)
        self._connection.set_progress_handler(lambda: time.monotonic() > self._until, _STEPS)

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as of the last commit. Raises JournalError when it takes too long."""
        with self._alone:
            self._until = time.monotonic() + self._within
            try:
                return list(self._connection.execute(sql, values))
            except apsw.InterruptError:
                raise JournalError(f"{self.path}: broken off after {self._within} s; ask for less") from None
            except SQLITE as error:
                raise as_journal_error(error, self.path) from error

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        """Raises JournalError: this connection cannot write."""
        raise JournalError(f"{self.path}: open for reading only")

    def tidy(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Close the connection."""
        with self._alone, suppress(apsw.Error):
            self._connection.close()

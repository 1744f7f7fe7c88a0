"""The file in which the processes that share an API key count their requests, beside the journals.

It need not survive a restart of the machine, so it is not synced. It is not a SQLite file: a count is read and written
twice for each request, and a process that is killed between two writes leaves only a count of the last seconds
(docs/decisions/0013-rate-budget.md).
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_PATIENCE = 2.0
"""Seconds to wait for the lock, which is held for microseconds unless its process has been stopped."""


class RateFile:
    """A few kilobytes with a lock, opened when first locked. Not for several threads at once.

    Every method raises OSError when the disk fails.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._file = -1

    def __str__(self) -> str:
        return str(self._path)

    def acquire(self) -> bool:
        """Lock the file; True when no other process had it open before, and its content is out of date."""
        fresh = self._file < 0 and self._open()
        end = 0.0
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                end = end or time.monotonic() + _PATIENCE
                if time.monotonic() > end:
                    raise TimeoutError(f"another process kept it locked for {_PATIENCE:g} s") from None
                time.sleep(0.0002)
                continue
            return fresh

    def release(self) -> None:
        """Unlock the file."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def read(self, at: int, size: int) -> bytes:
        """Read bytes at an offset; bytes beyond the end are 0."""
        found = os.pread(self._file, size, at)
        return found + bytes(size - len(found))

    def write(self, at: int, data: bytes) -> None:
        """Write bytes at an offset, without a sync."""
        os.pwrite(self._file, data, at)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> bool:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(file, self._size)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                alone = False
            else:
                alone = True
            # Held until the process ends; of another kind than the lock around each request.
            fcntl.lockf(file, fcntl.LOCK_SH)
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return alone

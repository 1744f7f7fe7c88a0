"""The file in which the processes that share an API key count their requests, beside the journals.

Nothing in it must outlive the machine, so nothing is synced; and it is no SQLite file, for a count is read and
written twice a request, and a process that is killed between two writes leaves nothing but a count of the last
seconds (docs/decisions/0013-rate-budget.md).
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_PATIENCE = 2.0
"""Seconds to wait for the lock, which others hold for microseconds: one that keeps it has been stopped."""


class RateFile:
    """A few kilobytes with a lock, opened when first locked. Not for several threads at once.

    Every method raises OSError when the disk does not do it.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._file = -1

    def __str__(self) -> str:
        return str(self._path)

    def acquire(self) -> bool:
        """Keep other processes out; True when nobody else had the file open before (then what it says is old)."""
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
        """Let other processes in."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from there."""
        found = os.pread(self._file, size, at)
        return found + bytes(size - len(found))

    def write(self, at: int, data: bytes) -> None:
        """Put the bytes there, in the page cache."""
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
            # Held as long as the process lives, and another kind of lock than the one around each request.
            fcntl.lockf(file, fcntl.LOCK_SH)
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return alone

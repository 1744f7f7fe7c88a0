"""Room kept back on the journal's disk, so that what was accepted still goes out when the disk is full.

`run` keeps a file of some MiB. When a commit finds no room, the file is cut to nothing: deliveries use its room, and
new receipts are refused until the room can be kept back again. Cut to nothing, the file says so to every process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_SIZE = 8 << 20
"""Bytes: the outcomes of some 10,000 receipts."""
_PART = 16
"""On a small disk one part in so many."""


class Reserve:
    """The file `journal.reserve`."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_suffix(".reserve")
        self._kept = False

    def keep(self, free: int, total: int) -> None:
        """Keep the room back, or take it back once there is twice as much. Costs a stat when it is kept."""
        size = min(_SIZE, total // _PART)
        if self._bytes() == size:
            self._kept = True
        elif free >= 2 * size:
            with suppress(OSError):
                file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.posix_fallocate(file, 0, size)
                    os.ftruncate(file, size)
                    self._kept = True
                except OSError:
                    os.ftruncate(file, 0)
                    raise
                finally:
                    os.close(file)

    def release(self, free: int = 0) -> None:
        """Let deliveries have the room. At an opening with so many bytes free: only when that is too little to open."""
        if (self._kept or free) and free < _SIZE // 8 and self._bytes():
            with suppress(OSError):
                os.truncate(self._path, 0)

    def is_released(self, room: Callable[[], tuple[int, int]]) -> bool:
        """Whether the room was given to deliveries, and cannot be kept back again. room: free bytes, and all."""
        if self._bytes() != 0:
            return False
        free, total = room()
        return free < 2 * min(_SIZE, total // _PART)

    def _bytes(self) -> int | None:
        try:
            return os.stat(self._path).st_size  # noqa: PTH116 - of each group that is accepted
        except OSError:
            return None

"""Which receipt each thread has in hand: a few bytes beside the journal that outlive the process.

A receipt that brings the process down must count as tried, or it would be the first of the next start again. The
note is not synced: after a power cut it may be missing or old, and a power cut is no receipt's fault.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_SLOT = struct.Struct("<q")


class CrashMarks:
    """One slot a thread in the file `in_hand`; 0 when the thread has nothing in hand."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._slots = count()
        self._local = threading.local()

    @contextmanager
    def holding(self, seq: int) -> Iterator[None]:
        """The receipt is in this thread's hand inside the block, and stays so if the process ends there."""
        self._note(seq)
        try:
            yield
        except Exception:
            self._note(0)
            raise
        self._note(0)

    def marked(self) -> list[int]:
        """The journal rows that were in hand when the last process ended."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        whole = content[: len(content) // _SLOT.size * _SLOT.size]
        return sorted({seq for (seq,) in _SLOT.iter_unpack(whole) if seq > 0})

    def clear(self) -> None:
        """They have been dealt with. Called before any thread takes something into its hand."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _note(self, seq: int) -> None:
        with suppress(OSError):  # a full disk: then a crash is not counted, and nothing else is lost
            if not hasattr(self._local, "slot"):
                self._local.slot = next(self._slots)
            with self._lock:
                if self._file is None:
                    self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._file, _SLOT.pack(seq), self._local.slot * _SLOT.size)

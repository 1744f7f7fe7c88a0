"""Crash marks: the receipt each thread works on, in a small file that survives the process.

A receipt that crashes the process must count as tried, or it would be the first one again after the restart. The file
is not synced: after a power cut a mark may be missing or old, and a receipt does not cause a power cut.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from tillpost.journal.sqlite.sqlite_errors import as_journal_error

_SLOT = struct.Struct("<q")


class CrashMarks:
    """The file `crash_marks`: one slot for each thread with the row of its receipt, or 0."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._slots = count()
        self._local = threading.local()
        self._beside: list[CrashMarks] = []

    @contextmanager
    def holding(self, seq: int) -> Iterator[None]:
        """Mark the receipt inside the block; the mark stays if the process ends there.

        seq: its row, or a number below -1 for a step that works on many (-1 is what a torn slot may hold).
        """
        self._note(seq)
        try:
            yield
        except (Exception, KeyboardInterrupt):
            self._note(0)
            raise
        self._note(0)

    def marked(self) -> list[int]:
        """The rows that were marked when the last process ended."""
        return sorted(seq for seq in self._read() if seq > 0)

    def _read(self) -> set[int]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return set()
        whole = content[: len(content) // _SLOT.size * _SLOT.size]
        return {seq for (seq,) in _SLOT.iter_unpack(whole)}

    def was_in(self, step: int) -> bool:
        """Whether the last process ended in this step (a negative number, see `holding`)."""
        return step in self._read()

    def clear(self) -> None:
        """Remove all marks. To be called before a thread sets one. Raises JournalError."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise as_journal_error(error, self._path) from error

    def beside(self, name: str) -> CrashMarks:
        """Marks in another file of the folder."""
        marks = CrashMarks(self._path.with_name(name))
        self._beside.append(marks)
        return marks

    def close(self) -> None:
        """Close the files."""
        for marks in self._beside:
            marks.close()
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _note(self, seq: int) -> None:
        with suppress(OSError):  # on a full disk a crash is not counted
            if not hasattr(self._local, "slot"):
                self._local.slot = next(self._slots)
            if self._file is None:
                with self._lock:
                    if self._file is None:
                        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._file, _SLOT.pack(seq), self._local.slot * _SLOT.size)

"""Crash marks: what each thread works on, in a small file that survives the process.

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
_COUNTED = struct.Struct("<qqd")
"""A step, how often the process ended in it, and when last."""
_MOST = 1000
"""Steps that are counted; those that were met last stay."""


class CrashMarks:
    """The file `crash_marks`: one slot for each thread with the row of its receipt, or 0."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._slots = count()
        self._local = threading.local()
        self._beside: list[CrashMarks] = []
        self._counts: dict[int, tuple[int, float]] | None = None

    @contextmanager
    def holding(self, seq: int) -> Iterator[None]:
        """Mark the receipt inside the block; the mark stays if the process ends there.

        seq: its row, or a number below -1 for another step (-1 is what a torn slot may hold). Of blocks inside each
        other the inner one is marked.
        """
        before = getattr(self._local, "seq", 0)
        self._note(seq)
        try:
            yield
        except (Exception, KeyboardInterrupt):
            self._note(before)
            raise
        self._note(before)

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

    def count_ends(self, now: float) -> None:
        """Count the end of the last process against each step it was in (a negative number). Before `clear`."""
        steps = [step for step in self._read() if step < -1]
        if steps:
            with self._lock:
                counts = self._counted()
                for step in steps:
                    counts[step] = counts.pop(step, (0, 0.0))[0] + 1, now
                self._save(counts)

    def ends(self, step: int) -> tuple[int, float]:
        """How often a process ended in this step, without one that came through it since; and when last."""
        with self._lock:
            return self._counted().get(step, (0, 0.0))

    def survived(self, step: int) -> None:
        """This process came through the step: its count starts again."""
        with self._lock:
            counts = self._counted()
            if counts.pop(step, None) is not None:
                self._save(counts)

    @property
    def _counts_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.counts")

    def _counted(self) -> dict[int, tuple[int, float]]:
        if self._counts is None:
            self._counts = {}
            with suppress(OSError):
                content = self._counts_path.read_bytes()
                whole = content[: len(content) // _COUNTED.size * _COUNTED.size]
                self._counts = {step: (ends, at) for step, ends, at in _COUNTED.iter_unpack(whole)}
        return self._counts

    def _save(self, counts: dict[int, tuple[int, float]]) -> None:
        for step in list(counts)[:-_MOST]:
            del counts[step]
        with suppress(OSError):  # on a full disk an end is counted for this process only
            if not counts:
                self._counts_path.unlink(missing_ok=True)
                return
            part = self._counts_path.with_name(f"{self._counts_path.name}.part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(b"".join(_COUNTED.pack(step, *counted) for step, counted in counts.items()))
            part.replace(self._counts_path)

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
        self._local.seq = seq
        with suppress(OSError):  # on a full disk a crash is not counted
            if not hasattr(self._local, "slot"):
                self._local.slot = next(self._slots)
            if self._file is None:
                with self._lock:
                    if self._file is None:
                        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._file, _SLOT.pack(seq), self._local.slot * _SLOT.size)

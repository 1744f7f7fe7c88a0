"""Locks of a state folder. The kernel releases them when the process ends, also after kill -9."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tillpost.errors import StateFolderBusy
from tillpost.journal.sqlite.replace_file import finish_replacement, pending_replacement
from tillpost.journal.sqlite.sqlite_errors import as_journal_error

_PATIENCE = 30.0
"""Seconds to wait for a process that opens the journal, or repairs it."""


_RETRY_FOR = 0.5
"""Seconds for which the run lock is tried: `running_process` holds it for a moment, too."""


class RunLock:
    """Held by the one process that runs a pipeline on the state folder or repairs its journal; the file has its id."""

    def __init__(self, folder: Path) -> None:
        lock = folder / "run.lock"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Without a buffer: on a full disk its rest would fail once more when the file is closed.
            self._file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise as_journal_error(error, lock) from error
        if not _locks(self._file, fcntl.LOCK_EX, _RETRY_FOR):
            os.close(self._file)
            raise StateFolderBusy(
                f"{folder}: another `tillpost run` works on this state folder; stop it, or use another `state`"
            )
        with suppress(OSError):  # on a full disk `run` still works, and `tillpost reload` does not find it
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process run."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def running_process(folder: Path) -> int | None:
    """The id of the process that holds the run lock of a state folder; None when there is none."""
    try:
        with (folder / "run.lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                content = file.read().strip()
                return int(content) if content.isascii() and content.isdigit() else None
            return None
    except OSError:
        return None


class OpenLock:
    """A shared lock, held while a journal is open, so that no repair replaces the file meanwhile.

    The lock is on the folder itself: it needs no file and works on a read-only disk.
    """

    def __init__(self, path: Path) -> None:
        if pending_replacement(path).exists():
            with ExclusiveLock(path.parent):
                finish_replacement(path)
        why = "`tillpost journal repair` works on this state folder"
        self._folder = _locked(path.parent, fcntl.LOCK_SH, why, _PATIENCE)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Try to be the only one inside the block; yields False when another process has the journal open."""
        try:
            yield _locks(self._folder, fcntl.LOCK_EX, 0.0)
        finally:
            fcntl.flock(self._folder, fcntl.LOCK_SH)

    def is_of(self, folder: Path) -> bool:
        """Whether the path still leads to the folder that is locked."""
        try:
            return os.path.samestat(os.fstat(self._folder), folder.stat())
        except OSError:
            return False

    def release(self) -> None:
        """The journal is closed."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


class ExclusiveLock:
    """An exclusive lock: no other process has the journal open or can open it.

    patience: seconds to wait for other commands to end. Raises StateFolderBusy when they do not.
    """

    def __init__(self, folder: Path, patience: float = _PATIENCE) -> None:
        why = "another command has the journal of this state folder open"
        self._folder = _locked(folder, fcntl.LOCK_EX, why, patience)

    def __enter__(self) -> ExclusiveLock:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)


def _locked(folder: Path, how: int, why_not: str, patience: float) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if not _locks(descriptor, how, patience):
        os.close(descriptor)
        raise StateFolderBusy(f"{folder}: {why_not}; try again when it has ended")
    return descriptor


def _locks(descriptor: int, how: int, patience: float) -> bool:
    """Lock within so many seconds; False when another process keeps its lock."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)  # flock has no time-out of its own
            continue
        return True

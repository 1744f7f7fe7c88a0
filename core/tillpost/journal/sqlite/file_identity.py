"""Whether the paths of a journal still lead to the files this process has open.

A file that is deleted, replaced by rename, moved with its folder or unmounted stays readable and writable for those who
have it open; only nobody finds it again. So after each commit, and before it is acknowledged, the paths are looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import attrs

_FILES = "", "-wal", "-shm"


@attrs.frozen
class Header:
    """What the first page of a database says. generation: counted with each WAL (`connection.next_generation`)."""

    pages: int
    page_size: int
    generation: int


def read_header(path: Path) -> Header | None:
    """The header of a database file; None when it has none.

    It is read by SQLite's own file layer: closing a descriptor of one's own would release the locks of this process.
    """
    try:
        file = apsw.VFSFile("", str(path), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    except apsw.Error:
        return None
    try:
        return parse_header(file.xRead(100, 0)) if file.xFileSize() >= 100 else None
    except apsw.Error:
        return None
    finally:
        file.xClose()


def parse_header(content: bytes) -> Header | None:
    """The header in the first 100 bytes of a database; None when they are not one."""
    if content[:16] != b"SQLite format 3\0" or len(content) < 100:
        return None
    size = int.from_bytes(content[16:18], "big")
    return Header(
        pages=int.from_bytes(content[28:32], "big"),
        page_size=65536 if size == 1 else size,
        generation=int.from_bytes(content[68:72], "big"),
    )


class FileIdentity:
    """Device and inode of the journal, its WAL and its shared memory, as they were when they were opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._paths = [f"{path}{end}" for end in _FILES]
        self._ids: list[tuple[int, int] | None] = []
        self._written = (0, 0)
        self._generation = 0
        self._faulty = ""
        self.take()

    def take(self) -> None:
        """Take the files that are there now for the right ones."""
        self._ids = [_identity(path) for path in self._paths]
        self.take_content()

    def take_content(self) -> None:
        """Take the content of the file for the right one: after a checkpoint of one's own."""
        stand = os.stat(self._paths[0])  # noqa: PTH116 - once or twice a commit
        self._written = stand.st_mtime_ns, stand.st_size
        header = read_header(self._path)
        self._generation = header.generation if header else 0

    def problem(self) -> str:
        """What is wrong with the files; "" when they are those that were opened. Costs three stats."""
        for path, known in zip(self._paths, self._ids, strict=True):
            try:
                stand = os.stat(path)  # noqa: PTH116 - of each commit: a Path costs more than the call
            except OSError:
                if known is not None:
                    self._faulty = path
                    return f"{path} is not there any more (deleted, moved, or its disk is not mounted)"
                continue
            if known is None:
                self._ids[self._paths.index(path)] = stand.st_dev, stand.st_ino
            elif known != (stand.st_dev, stand.st_ino):
                self._faulty = path
                return f"{path} is another file than the one this process has open"
            if path == self._paths[0] and self._written != (stand.st_mtime_ns, stand.st_size):
                if fault := self._content_problem(stand.st_size):
                    self._faulty = path
                    return fault
                self._written = stand.st_mtime_ns, stand.st_size
        return ""

    def _content_problem(self, size: int) -> str:
        """The file was written without this process: by a checkpoint of another command, or over its content."""
        header = read_header(self._path)
        if header is None:
            return f"{self._path} was overwritten or cut: it has no header of a journal any more"
        if size < min(self._written[1], header.pages * header.page_size):  # a checkpoint may be about to extend it
            return f"{self._path} was cut to {size} bytes, and its header tells of {header.pages * header.page_size}"
        ahead = header.generation - self._generation & 0xFFFFFFFF
        if self._generation and ahead > _FAR:
            return f"{self._path} was overwritten with another journal, or an older one"
        self._generation = header.generation
        return ""

    def is_only_beside(self) -> bool:
        """Whether the problem was with the WAL or the shared memory, and the journal itself is the right one."""
        return self._faulty in self._paths[1:]

    def lacks(self, end: str) -> bool:
        """Whether another file, or none, is at the path with this ending."""
        at = _FILES.index(end)
        return self._ids[at] != _identity(self._paths[at])


_FAR = 1 << 20
"""Generations another command may have been ahead."""


def _identity(path: str) -> tuple[int, int] | None:
    try:
        stand = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return stand.st_dev, stand.st_ino

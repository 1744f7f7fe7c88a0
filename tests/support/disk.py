"""A disk that fails as disks do, below SQLite: an apsw VFS over the real one, that knows what a sync has made durable.

- A power cut: what was not synced is there, torn, or gone, as chance has it.
- A sync that fails, as Linux does it: the pages count as clean from then on, readable, and never written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Self

import apsw

SECTOR = 512


class _File:
    """What of a file survives a power cut, and what has been written since the last sync."""

    def __init__(self, content: bytes) -> None:
        self.durable = bytearray(content)
        self.pending: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, *change)
        self.pending = []

    def after_a_cut(self, chance: Random) -> bytes:
        left = bytearray(self.durable)
        for at, data in self.pending:
            fate = chance.random()
            if fate < 0.4:
                continue
            if data is not None and fate < 0.6:
                data = data[: chance.randrange(len(data) // SECTOR + 1) * SECTOR]
            _apply(left, at, data)
        return bytes(left)


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(data)] = data


class Disk(apsw.VFS):
    """The default VFS as long as it is entered."""

    def __init__(self) -> None:
        super().__init__("failing", base="unix", makedefault=True)
        self.files: dict[str, _File] = {}
        self.calls = 0
        self.before_call: Callable[[int], None] = lambda number: None
        """Called before each write, truncate and sync with its number; may look at the disk as it is then."""
        self.fails: Callable[[str], bool] = lambda name: False
        """Whether this sync of this file fails."""
        self.syncs_after_failure = 0
        """Syncs on a handle that has failed once: each of them is a lie waiting to be believed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unregister()

    def cut(self, folder: Path, chance: Random) -> None:
        """What the next start finds, in another folder. The shared memory is no part of the disk."""
        folder.mkdir()
        for name, file in self.files.items():
            (folder / Path(name).name).write_bytes(file.after_a_cut(chance))

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        return _Handle(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        self.files.pop(filename, None)
        super().xDelete(filename, syncdir)


class _Handle(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        super().__init__("unix", name, flags)
        self._disk, self._path, self._failed = disk, path, False
        if path is not None and path not in disk.files:
            disk.files[path] = _File(Path(path).read_bytes())

    def _call(self) -> _File | None:
        self._disk.calls += 1
        self._disk.before_call(self._disk.calls)
        return self._disk.files.get(self._path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        if (file := self._call()) is not None:
            file.pending.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        if (file := self._call()) is not None:
            file.pending.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        file = self._call()
        if self._failed:
            self._disk.syncs_after_failure += 1
        if file is not None and self._disk.fails(self._path):
            self._failed = True
            file.pending = []  # clean, says the kernel
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
        if file is not None:
            file.sync()  # and that is all: the real disk below needs none

"""Moves a file so that after a power cut it is in one of the two places, and never overwrites another file."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tillpost.kit.files import sync_folder

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""Error numbers of a file system without hard links, or with no more of them for this file."""


def write_durably(path: Path, text: str) -> None:
    """Write a small text file; it is on the disk when this returns (sync its folder yourself)."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _take_name(folder: Path, name: str, take: Callable[[Path], None]) -> Path:
    """The first of `name`, `name.1`, `name.2`, … that was free; `take` raises FileExistsError for the others."""
    number = 0
    while True:
        target = folder / (f"{name}.{number}" if number else name)
        try:
            take(target)
        except FileExistsError:
            number += 1
        else:
            return target


def _link(source: Path, folder: Path, name: str) -> Path:
    """Give a file of this file system another free name. It is whole under that name from the first moment."""

    def take(target: Path) -> None:
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if not target.samefile(source):
                raise
            # A crash came between link and unlink: unlink now.

    target = _take_name(folder, name, take)
    sync_folder(folder)
    source.unlink()
    return target


def _replace(source: Path, folder: Path, name: str) -> Path:
    """The same without hard links. The name is reserved first, so that the rename replaces no other file."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    target = _take_name(folder, name, lambda target: os.close(os.open(target, flags, 0o600)))
    try:
        source.replace(target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    return target


def _rename(source: Path, folder: Path, name: str) -> Path:
    try:
        return _link(source, folder, name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    return _replace(source, folder, name)


def _copy(source: Path, folder: Path) -> Path:
    # From another file system: whole and durable under a temporary name before it gets the final one. A part that a
    # crash left may be another name of a finished file, which writing into it would damage.
    part = folder / f".{source.name}.part"
    part.unlink(missing_ok=True)
    shutil.copy2(source, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    return part


def move(source: Path, folder: Path) -> Path | None:
    """Move a file into a folder; returns its new path, None when the file has vanished.

    It overwrites no file of the same name: it gets a number then. A crash leaves the file under its old name, its new
    one, or both, and moving it again completes the move. Only on a file system without hard links may a crash leave
    an empty file of the new name. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        target = _rename(source, folder, source.name)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        try:
            part = _copy(source, folder)
        except FileNotFoundError:
            return None
        target = _rename(part, folder, source.name)
        source.unlink()
    sync_folder(source.parent)
    return target

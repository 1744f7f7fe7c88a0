"""Moving a file so that it is in one of the two places after a power cut, and never over another file."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What a file system answers that has no hard links, or no more of them for this file."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (POSIX fsync of the folder)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, text: str) -> None:
    """A small text file, on the disk when this returns (its folder's entry is the caller's)."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _take_name(folder: Path, name: str, take: Callable[[Path], None]) -> Path:
    """The first of `name`, `name.1`, `name.2`, … that could be taken; `take` raises FileExistsError for the others."""
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
    """Give a file of this file system another name, which nobody has. It is whole under it from the first moment."""

    def take(target: Path) -> None:
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if not target.samefile(source):
                raise
            # A crash came between the two halves: here is the second.

    target = _take_name(folder, name, take)
    sync_folder(folder)
    source.unlink()
    return target


def _replace(source: Path, folder: Path, name: str) -> Path:
    """The same without hard links. The name is reserved first, so a rename never replaces another file."""
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
    # From another file system: whole and durable under a temporary name before it takes the real one. One that a
    # crash left may be another name of a finished file, which writing into it would spoil.
    part = folder / f".{source.name}.part"
    part.unlink(missing_ok=True)
    shutil.copy2(source, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    return part


def move(source: Path, folder: Path) -> Path | None:
    """Move a file into a folder and return where it is now; None when it has vanished.

    Never over a file of the same name: it gets a number then. A crash leaves the file under its old name, its new
    one, or both, and moving it again ends the matter. Only on a file system without hard links may a crash leave
    an empty file of the new name.
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

"""Moving a file so that it is in one of the two places after a power cut, and never over another file."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


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


def _reserve(folder: Path, name: str) -> Path:
    """An empty file of a name nobody has: `name`, else `name.1`, `name.2`, …"""
    number = 0
    while True:
        target = folder / (f"{name}.{number}" if number else name)
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            number += 1
        else:
            return target


def _copy(source: Path, target: Path) -> None:
    # Another file system: the copy is whole and durable under a temporary name before it takes the real one.
    part = target.with_name(f".{target.name}.part")
    shutil.copy2(source, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    sync_folder(target.parent)
    source.unlink()


def move(source: Path, folder: Path) -> Path | None:
    """Move a file into a folder and return where it is now; None when it has vanished.

    The name is reserved first, so a rename never replaces a file of the same name. A crash between the two
    leaves an empty file of that name, and the source where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _reserve(folder, source.name)
    try:
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(source, target)
    except FileNotFoundError:
        target.unlink()
        return None
    except OSError:
        target.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    sync_folder(source.parent)
    return target

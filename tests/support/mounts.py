"""Small file systems of our own to fill, to take away and to damage; only root may mount them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.program import missing


@contextmanager
def tmpfs(point: Path, options: str) -> Iterator[None]:
    """A file system in memory, bounded by `size=` or `nr_inodes=`."""
    point.mkdir(parents=True, exist_ok=True)
    _must("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point))
    try:
        yield
    finally:
        unmount(point)


@contextmanager
def ext4(point: Path, image: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own in a file."""
    point.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    _must("mkfs.ext4", "-q", "-F", str(image))
    _must("mount", "-o", "loop", str(image), str(point))
    try:
        yield
    finally:
        unmount(point)


def unmount(point: Path) -> None:
    """Take it away, if it is there."""
    if os.path.ismount(point):
        subprocess.run(["umount", str(point)], check=True, timeout=30)


def _must(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        trouble = done.stderr.strip() if done.returncode else ""
    except FileNotFoundError:
        trouble = f"{command[0]} is not installed"
    if trouble:
        missing(f"{' '.join(command)}: {trouble}")


def fill(folder: Path) -> Path:
    """Write until there is no room, by bytes."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


def fill_inodes(folder: Path) -> Path:
    """Make empty files until there is no room for another."""
    filler = folder / "fillers"
    filler.mkdir()
    try:
        for number in range(100_000):
            (filler / str(number)).touch()
    except OSError:
        return filler
    raise AssertionError("it has no bound of inodes")

"""Folders in memory, for tests that prove nothing of a disk and so need not wait for one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")


@contextmanager
def memory_folder(megabytes: int = 20) -> Iterator[Path]:
    """A folder in memory where the system has such a place with this room, else on the disk."""
    fits = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > megabytes << 20
    with tempfile.TemporaryDirectory(dir=_MEMORY if fits else None) as folder:
        yield Path(folder)

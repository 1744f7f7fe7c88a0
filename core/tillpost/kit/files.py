"""Files that must be on the disk before a plugin goes on."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (POSIX fsync of the folder). Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(folder: Path) -> str:
    """Why no file can be written into the folder, renamed there and removed; "" when one was."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".tillpost-check-", delete=False) as file:
            part = Path(file.name)
            try:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
                part = part.rename(part.with_suffix(".part"))
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        return os.strerror(error.errno or 0).lower()
    return ""

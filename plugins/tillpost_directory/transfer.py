"""The transfer: a temporary name, fsync, a size check, one rename that writes over nothing; and when in doubt, looking.

The destination reads its folder at any moment and deletes what it has read (Engage contract, section 3), so a
file under its final name is never touched again, and a file that is no longer there after its rename has
been taken.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from tillpost import hookimpl
from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, Misconfigured, NotSent, Outcome, Refused
from tillpost_directory.settings import Settings

_BLOCK = 1 << 18


class AwayError(OSError):
    """The folder files belong in is not there."""


class DirectoryTransfer:
    """The hooks of the slot `transfer`. A share that hangs is for its mount options to give up."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @hookimpl
    def transfer(self, file: FallbackFile) -> Outcome:
        """Copy, unless it lies there already. Repeating is safe: it looks first."""
        try:
            size = file.path.stat().st_size
        except OSError as error:
            return Refused(reason=f"{file.name} cannot be read here: {type(error).__name__}")
        if size != file.size:
            return Refused(reason=f"{file.name} has {size} bytes here, not the {file.size} it was written with")
        final, temporary = self._names(file)
        renaming = False
        try:
            there = _size(final)
            if there is not None:
                return _already(file, there, temporary)
            arrived = _copy(file.path, temporary)
            if arrived != file.size:
                temporary.unlink(missing_ok=True)
                return NotSent(reason=f"{arrived} of {file.size} bytes of {file.name} arrived")
            renaming = True
            self._rename(temporary, final)
        except OSError as error:
            if not renaming:
                return self._failure(error)
            return self._judge_rename(file, type(error).__name__)
        with suppress(OSError):  # not every share has it, nor every system
            _sync_folder(final.parent)
        return Delivered()

    @hookimpl
    def find_transferred(self, file: FallbackFile) -> bool | Failure:
        """Whether the file still lies under its final name."""
        try:
            return _size(self._names(file)[0]) is not None
        except OSError as error:
            return self._failure(error)

    def _judge_rename(self, file: FallbackFile, failed: str) -> Outcome:
        """After a rename without a good answer: what lies there says what became of it."""
        final, temporary = self._names(file)
        try:
            # The temporary name first: once it is gone the rename was done, whatever the reader did since.
            if _size(temporary) is None:
                return Delivered(reason=f"{failed} at the rename, which was done")
            there = _size(final)
        except OSError as error:
            return MaybeSent(reason=f"{failed} at the rename of {file.name}, then {type(error).__name__}")
        if there is not None:
            return _already(file, there, temporary)
        return NotSent(reason=f"{failed} at the rename of {file.name}, which was not done")

    def _rename(self, temporary: Path, final: Path) -> None:
        """Give the file its final name, over no other file."""
        try:
            final.hardlink_to(temporary)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            # A file system without hard links. Nobody else makes files of this name, and it was looked for.
            temporary.rename(final)
        else:
            temporary.unlink()

    def _failure(self, error: OSError) -> Failure:
        """What a failure before the decisive step means: nothing was sent, or the settings are wrong."""
        path = self._settings.path
        if isinstance(error, AwayError):
            return NotSent(reason=f"no folder {error.filename}: the share is away, or the folder has to be made there")
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            return Misconfigured(reason=f"transfer.path {path} cannot be written: {type(error).__name__}")
        return NotSent(reason=f"{path}: {os.strerror(error.errno or 0)}")

    def _names(self, file: FallbackFile) -> tuple[Path, Path]:
        """The final and the temporary path; the folder is the one below the fallback folder that the file lies in."""
        folder = self._settings.path / file.path.parent.name
        return folder / file.name, folder / f".{file.name}.part"


def _size(path: Path) -> int | None:
    """The size of a file there; None when there is none, in a folder that is there. Raises OSError."""
    try:
        return path.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise AwayError(errno.ENOENT, "away", str(path.parent)) from None
        return None


def _copy(source: Path, temporary: Path) -> int:
    """Write anew, onto the disk; how many bytes lie there then. What an earlier attempt left is not written over:
    it may be a second name of a file that is being read."""
    temporary.unlink(missing_ok=True)
    with source.open("rb") as content, temporary.open("xb") as written:
        shutil.copyfileobj(content, written, _BLOCK)
        written.flush()
        os.fsync(written.fileno())
    return temporary.stat().st_size


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _already(file: FallbackFile, size: int, temporary: Path) -> Outcome:
    if size != file.size:
        return Refused(reason=f"another file named {file.name} lies there, of {size} bytes instead of {file.size}")
    with suppress(OSError):
        temporary.unlink(missing_ok=True)  # its second name, when the first attempt ended between the two
    return Delivered(reason="it was there already")

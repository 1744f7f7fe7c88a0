"""The transfer: copies that are synced to the disk, and a rename that overwrites nothing."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from tillpost.kit.files import sync_folder
from tillpost.kit.transfer import FileTransfer
from tillpost.model import Failure, Misconfigured, NotSent
from tillpost_directory.settings import Settings

_BLOCK = 1 << 18


class NoFolderError(OSError):
    """The folder files belong in does not exist."""


class Share:
    """The folders of a share. A method raises OSError; one that hangs does so until its mount gives up."""

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder of this path that can be read."""
        try:
            os.scandir(path).close()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def find_size(self, path: str) -> int | None:
        """The size of a file there; None when there is none, in a folder that exists."""
        try:
            return Path(path).stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            if not Path(path).parent.is_dir():
                raise NoFolderError(errno.ENOENT, "no folder", str(Path(path).parent)) from None
            return None

    def put(self, path: str, source: Path) -> None:
        """Write a new file, onto the disk. What an earlier attempt left is not overwritten: it may be a second name of
        a file that is being read."""
        temporary = Path(path)
        temporary.unlink(missing_ok=True)
        with source.open("rb") as content, temporary.open("xb") as written:
            shutil.copyfileobj(content, written, _BLOCK)
            written.flush()
            os.fsync(written.fileno())

    def move(self, old: str, new: str) -> None:
        """Rename a file, over no other one."""
        temporary, final = Path(old), Path(new)
        try:
            final.hardlink_to(temporary)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            # A file system without hard links. Nobody else makes files of this name, and it was looked for.
            temporary.rename(final)
        else:
            temporary.unlink()
        with suppress(OSError):  # not every share can sync a folder, nor every system
            sync_folder(final.parent)

    def remove(self, path: str) -> None:
        """Delete a file, if it is there."""
        Path(path).unlink(missing_ok=True)


class DirectoryTransfer(FileTransfer[Share]):
    """The hooks of the slot `transfer`."""

    errors = (OSError,)
    makes_folders = False

    def __init__(self, settings: Settings) -> None:
        self.root = str(settings.path)

    def connect(self) -> AbstractContextManager[Share]:
        """See FileTransfer."""
        return nullcontext(Share())

    def no_folder(self, path: str) -> Failure:
        """See FileTransfer. It may be mounted again in a moment."""
        return self.failure(NoFolderError(errno.ENOENT, "no folder", path))

    def failure(self, error: Exception) -> Failure:
        """See FileTransfer."""
        if isinstance(error, NoFolderError):
            return NotSent(
                reason=f"there is no folder {error.filename}: the share is not mounted, or the folder must be created"
            )
        number = error.errno or 0 if isinstance(error, OSError) else 0
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            return Misconfigured(reason=f"transfer.path {self.root} cannot be written: {os.strerror(number)}")
        return NotSent(reason=f"{self.root}: {os.strerror(number)}")

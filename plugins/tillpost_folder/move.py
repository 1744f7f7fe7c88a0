"""Moves a file so that after a power cut it is in one of the two places, and never overwrites another file.

The folder files are put into is opened once, and must be a folder of ours: whoever may write to the drop folder could
else lead us elsewhere by a link of that name. Names are used relative to it, and no link is followed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""Error numbers of a file system without hard links, or with no more of them for this file."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME_MAX = 255
"""Bytes of a name on the file systems in use."""
REASON = ".reason.txt"


class FolderRefused(Exception):
    """Nothing is put into this folder; the message says why, and what to do."""


def refusal(folder: Path) -> str:
    """Why nothing may be put into this folder; "" when something may, or when it is not there yet."""
    try:
        with _opened(folder):
            return ""
    except FolderRefused as refused:
        return str(refused)
    except OSError:
        return ""  # a matter of rights or of the disk, which may pass


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The folder, if it is one and is ours. Raises FolderRefused, OSError."""
    try:
        handle = os.open(folder, _FOLDER | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and os.path.lexists(folder):
            what = "a link" if folder.is_symlink() else "not a directory"
            raise FolderRefused(
                f"{folder} is {what}, and nothing is put into it: whoever may write beside it could lead files"
                " elsewhere; make it a directory, or name the directory itself in the settings"
            ) from None
        raise
    try:
        owner = os.fstat(handle).st_uid
        if owner not in (os.geteuid(), 0):
            raise FolderRefused(
                f"{folder} belongs to another user (uid {owner}, we are {os.geteuid()}), and nothing is put into it;"
                " give it to the user Tillpost runs as, or name another in the settings"
            )
        yield handle
    finally:
        os.close(handle)


def fit(name: str, end: str = "") -> str:
    """The name with this end, cut where both together are too long for a file system."""
    raw, tail = os.fsencode(name), os.fsencode(end)
    if len(raw) + len(tail) > _NAME_MAX:
        raw = raw[: _NAME_MAX - len(tail)]
        raw = raw.decode(errors="ignore").encode() or raw  # not in the middle of a character
    return os.fsdecode(raw + tail)


def _take_name(name: str, take: Callable[[str], None]) -> str:
    """The first of `name`, `name.1`, `name.2`, … that was free; `take` raises FileExistsError for the others."""
    number = 0
    while True:
        target = fit(name, f".{number}" if number else "")
        try:
            take(target)
        except FileExistsError:
            number += 1
        else:
            return target


def write_reason(folder: Path, name: str, text: str) -> None:
    """Write why a file was set aside, beside it; it is on the disk when this returns. Raises OSError, FolderRefused."""
    with _opened(folder) as handle:

        def take(target: str) -> None:
            with os.fdopen(os.open(target, _NEW, 0o600, dir_fd=handle), "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())

        base = fit(name, REASON)
        with suppress(FileNotFoundError):  # of an earlier try, or a link somebody put there: neither is written to
            os.unlink(base, dir_fd=handle)
        _take_name(base, take)
        os.fsync(handle)


def remove_reason(folder: Path, name: str) -> None:
    """Remove what `write_reason` wrote, if it is there. Raises OSError, FolderRefused."""
    with _opened(folder) as handle, suppress(FileNotFoundError):
        os.unlink(fit(name, REASON), dir_fd=handle)


def _rename(source: str, from_: int, name: str, to: int) -> str:
    """Give a file of this file system another free name, and take the old one away."""

    def link(target: str) -> None:
        try:
            os.link(source, target, src_dir_fd=from_, dst_dir_fd=to, follow_symlinks=False)
        except FileExistsError:
            ours = os.stat(source, dir_fd=from_, follow_symlinks=False)
            if not os.path.samestat(ours, os.stat(target, dir_fd=to, follow_symlinks=False)):
                raise
            # A crash came between link and unlink: unlink now.

    try:
        target = _take_name(name, link)  # it is whole under that name from the first moment
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        os.fsync(to)
        os.unlink(source, dir_fd=from_)
        return target
    # Without hard links the name is reserved first, so that the rename replaces no other file.
    target = _take_name(name, lambda target: os.close(os.open(target, _NEW, 0o600, dir_fd=to)))
    try:
        os.replace(source, target, src_dir_fd=from_, dst_dir_fd=to)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(target, dir_fd=to)
        raise
    os.fsync(to)
    return target


def _copy(source: str, from_: int, to: int) -> str:
    """Copy from another file system: whole and durable under a temporary name before it gets the final one."""
    part = fit(f".{source}", ".part")
    with suppress(FileNotFoundError):  # a part that a crash left may be another name of a finished file
        os.unlink(part, dir_fd=to)
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=from_), "rb") as file:
        status = os.fstat(file.fileno())
        with os.fdopen(os.open(part, _NEW, 0o600, dir_fd=to), "wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            os.fchmod(copy.fileno(), status.st_mode & 0o777)
            os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(copy.fileno())
    return part


def move(source: Path, folder: Path, name: str = "") -> Path | None:
    """Move a file into a folder, under its name or another; returns its new path, None when the file has vanished.

    It overwrites no file of the same name: it gets a number then. A crash leaves the file under its old name, its new
    one, or both, and moving it again completes the move. Only on a file system without hard links may a crash leave
    an empty file of the new name. The folder is made when it is missing, its parents are not: a share that is not
    mounted must not be made in its mount point. Raises OSError, FolderRefused.
    """
    with suppress(FileExistsError):
        folder.mkdir()
    name = name or source.name
    from_ = os.open(source.parent, _FOLDER)
    try:
        with _opened(folder) as to:
            try:
                target = _rename(source.name, from_, name, to)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                part = _copy(source.name, from_, to)
                target = _rename(part, to, name, to)
                try:
                    os.unlink(source.name, dir_fd=from_)
                except FileNotFoundError:
                    pass
                except OSError:
                    os.unlink(target, dir_fd=to)  # or each try would leave one more copy
                    raise
            os.fsync(from_)
    except FileNotFoundError:
        if os.path.lexists(source):
            raise
        return None
    finally:
        os.close(from_)
    return folder / target

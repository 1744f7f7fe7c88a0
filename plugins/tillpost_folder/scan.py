"""Which files of the folder are complete, in the order in which they came, and what lies there that is no file."""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from tillpost import Clock
from tillpost_folder.settings import Settings

LEFT = (".tmp", ".part", "~")
"""Ends of names of files that are still being written."""
EMPTY_SOON, EMPTY_FOR = 10.0, 600.0
"""Seconds after which a file that is still empty is told, and after which it is read as a document without records."""
_KINDS = {
    stat.S_IFDIR: "a directory; subfolders are not read",
    stat.S_IFLNK: "a link; links are not followed",
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}


@attrs.frozen
class Seen:
    """The state of a file at one moment; equal states mean that it was not written to in between."""

    path: Path
    size: int
    changed: int
    """mtime, nanoseconds since 1970."""
    inode: tuple[int, int] = (0, 0)
    """Device and number."""
    status_changed: int = 0
    """ctime, nanoseconds since 1970: a program that sets mtime back cannot set this."""

    @classmethod
    def at(cls, path: Path) -> Seen | None:
        """The file's state now; None when it has vanished. Raises OSError."""
        try:
            return cls.of(path, path.stat(follow_symlinks=False))
        except FileNotFoundError:
            return None

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> Seen:
        """The same of a status that was asked for."""
        inode = status.st_dev, status.st_ino
        return cls(path, status.st_size, status.st_mtime_ns, inode, status.st_ctime_ns)

    def same_content(self, other: Seen) -> bool:
        """Whether it was not written to in between, wherever it was moved to."""
        return (self.size, self.changed) == (other.size, other.changed)


@attrs.define
class Found:
    """What lies in the folder. whole: by mtime, then name. waiting: how many files may still be written to."""

    whole: list[Seen] = attrs.field(factory=list)
    waiting: int = 0
    odd: dict[Path, str] = attrs.field(factory=dict)
    """What is not read, each with the reason."""


@attrs.define
class Scan:
    """Lists one folder.

    since: when a file whose mtime is ahead of this machine's clock was first seen with it. It is lost in a restart,
    which only makes such a file wait `settle` once more. settle: seconds a file must stay unchanged.
    """

    settings: Settings
    clock: Clock
    since: dict[Seen, float] = attrs.field(factory=dict)
    settle: float = attrs.field(
        default=attrs.Factory(lambda scan: scan.settings.settle.total_seconds(), takes_self=True)
    )

    def files(self) -> Found:
        """The complete files. Raises OSError when the folder cannot be listed."""
        found = Found()
        ahead: dict[Seen, float] = {}
        own = {self.settings.done_folder.name, self.settings.failed_folder.name}
        with os.scandir(self.settings.path) as entries:
            paths = [Path(entry.path) for entry in entries if self._is_named(entry.name)]
        for path in paths:
            try:
                status = path.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                found.odd[path] = f"its state cannot be read: {(error.strerror or '').lower()}"
                continue
            kind = stat.S_IFMT(status.st_mode)
            if kind != stat.S_IFREG:
                if not (kind == stat.S_IFDIR and path.name in own):
                    found.odd[path] = f"is {_KINDS.get(kind, 'not a file')}"
                continue
            seen = Seen.of(path, status)
            age = self._age(seen, ahead)
            if age < self.settle or (not seen.size and age < EMPTY_SOON):
                found.waiting += 1
            elif not seen.size and age < EMPTY_FOR:
                found.odd[path] = "is empty; it is read once something is written to it, or after ten minutes"
            else:
                found.whole.append(seen)
        self.since = ahead
        found.whole.sort(key=lambda seen: (seen.changed, seen.path.name))
        return found

    def _is_named(self, name: str) -> bool:
        return not name.startswith(".") and not name.endswith(LEFT) and fnmatchcase(name, self.settings.pattern)

    def _age(self, seen: Seen, ahead: dict[Seen, float]) -> float:
        """Seconds since it was last written to; of one whose writer's clock is ahead, since it was first seen so."""
        age = self.clock.time() - seen.changed / 1e9
        if age >= 0:
            return age
        ahead[seen] = self.since.get(seen, self.clock.monotonic())
        return self.clock.monotonic() - ahead[seen]

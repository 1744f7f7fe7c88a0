"""Which files of the drop folder are whole, in the order in which they came."""

from __future__ import annotations

import os
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from tillpost import Clock


@attrs.frozen
class Seen:
    """A file as it stood at one look; equal looks mean that nobody wrote to it between them."""

    path: Path
    size: int
    changed: int
    """mtime, nanoseconds since 1970."""

    @classmethod
    def at(cls, path: Path) -> Seen | None:
        """The file as it stands now; None when it has vanished."""
        try:
            status = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        return cls(path, status.st_size, status.st_mtime_ns)


def temporary(name: str) -> bool:
    """Whether a name says that its writer is not done (or that it is hidden)."""
    return name.startswith(".") or name.endswith((".tmp", ".part", "~"))


@attrs.define
class Scan:
    """Looks into one folder.

    `since` remembers when a file whose mtime lies ahead of this machine's clock was first seen so; it is lost in
    a restart, which only makes such a file wait `settle` once more.
    """

    folder: Path
    pattern: str
    settle: timedelta
    clock: Clock
    since: dict[Seen, float] = attrs.field(factory=dict)

    def files(self) -> tuple[list[Seen], int]:
        """The files that are whole, by mtime, then name; and how many are there that may still be written to."""
        whole, waiting, ahead = [], 0, {}
        with os.scandir(self.folder) as entries:
            paths = [
                Path(entry.path)
                for entry in entries
                if entry.is_file(follow_symlinks=False)
                and not temporary(entry.name)
                and fnmatchcase(entry.name, self.pattern)
            ]
        for path in paths:
            seen = Seen.at(path)
            if seen is None:
                continue
            age = self.clock.time() - seen.changed / 1e9
            if age < 0:
                # The writer's clock is ahead of ours: only our own watching can tell that it has settled.
                ahead[seen] = self.since.get(seen, self.clock.monotonic())
                age = self.clock.monotonic() - ahead[seen]
            if age >= self.settle.total_seconds():
                whole.append(seen)
            else:
                waiting += 1
        self.since = ahead
        return sorted(whole, key=lambda seen: (seen.changed, seen.path.name)), waiting

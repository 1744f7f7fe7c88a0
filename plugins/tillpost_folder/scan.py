"""Which files of the folder are complete, in the order in which they came."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from tillpost import Clock
from tillpost_folder.settings import Settings


@attrs.frozen
class Seen:
    """The state of a file at one moment; equal states mean that it was not written to in between."""

    path: Path
    size: int
    changed: int
    """mtime, nanoseconds since 1970."""

    @classmethod
    def at(cls, path: Path) -> Seen | None:
        """The file's state now; None when it has vanished."""
        try:
            status = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        return cls(path, status.st_size, status.st_mtime_ns)


@attrs.define
class Scan:
    """Lists one folder.

    since: when a file whose mtime is ahead of this machine's clock was first seen with it. It is lost in a restart,
    which only makes such a file wait `settle` once more.
    """

    settings: Settings
    clock: Clock
    since: dict[Seen, float] = attrs.field(factory=dict)

    def files(self) -> tuple[list[Seen], int]:
        """The complete files, by mtime, then name; and the number of files that may still be written to."""
        whole, waiting, ahead = [], 0, {}
        with os.scandir(self.settings.path) as entries:
            paths = [
                Path(entry.path)
                for entry in entries
                if entry.is_file(follow_symlinks=False)
                and not entry.name.startswith(".")
                and not entry.name.endswith((".tmp", ".part", "~"))  # still being written
                and fnmatchcase(entry.name, self.settings.pattern)
            ]
        for path in paths:
            seen = Seen.at(path)
            if seen is None:
                continue
            age = self.clock.time() - seen.changed / 1e9
            if age < 0:
                # The writer's clock is ahead of ours: count from when we first saw the file in this state.
                ahead[seen] = self.since.get(seen, self.clock.monotonic())
                age = self.clock.monotonic() - ahead[seen]
            if age >= self.settings.settle.total_seconds():
                whole.append(seen)
            else:
                waiting += 1
        self.since = ahead
        return sorted(whole, key=lambda seen: (seen.changed, seen.path.name)), waiting

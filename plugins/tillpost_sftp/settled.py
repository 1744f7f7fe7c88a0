"""When a file on the server is complete: its size and time have stayed as they are for `settle`."""

from __future__ import annotations

import os
from collections import deque
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import attrs

from tillpost import Clock
from tillpost_sftp.names import Entry, Seen, join
from tillpost_sftp.settings import SourceSettings

if TYPE_CHECKING:
    from tillpost_sftp.drop import Drop

LEFT = (".tmp", ".part", ".filepart", "~")
"""Ends of names of files that are still being written."""
EMPTY_FOR = 600.0
"""Seconds after which a file that is still empty is read as a document without records."""
_MOST_WATCHED = 100
"""Files put away that are looked at in each round; of more, the newest."""


@attrs.define
class Found:
    """What lies in the folder. whole: the oldest first. waiting: how many files may still be written to."""

    whole: list[tuple[bytes, Seen]] = attrs.field(factory=list)
    waiting: int = 0
    odd: dict[bytes, tuple[Seen | None, str]] = attrs.field(factory=dict)
    """What is not read, each with the reason."""


@attrs.define
class Settled:
    """Remembers since when each file is as it is, by the monotonic clock of this machine: the server's is not asked."""

    settings: SourceSettings
    clock: Clock
    _since: dict[bytes, tuple[Seen, float]] = attrs.field(factory=dict)

    def sorted_out(self, entries: list[Entry]) -> Found:
        """What of the folder's entries is to be read now."""
        now, before, self._since = self.clock.monotonic(), self._since, {}
        own = (self.settings.done_folder, self.settings.failed_folder)
        found = Found()
        for entry in entries:
            if not self._is_named(entry.name):
                continue
            if entry.seen is None:
                if os.fsdecode(join(self.settings.path, entry.name)) not in own:
                    found.odd[entry.name] = None, "is a directory, a link or another thing that is not a file"
                continue
            seen, since = before.get(entry.name, (None, now))
            if seen != entry.seen:
                since = now
            self._since[entry.name] = entry.seen, since
            age = now - since
            if age < self.settings.settle.total_seconds():
                found.waiting += 1
            elif not entry.seen.size and age < EMPTY_FOR:
                reason = "is empty; it is read once something is written to it, or after ten minutes"
                found.odd[entry.name] = entry.seen, reason
            else:
                found.whole.append((entry.name, entry.seen))
        found.whole.sort(key=lambda each: (each[1].changed, each[0]))
        return found

    def _is_named(self, name: bytes) -> bool:
        text = os.fsdecode(name)
        return not text.startswith(".") and not text.endswith(LEFT) and fnmatchcase(text, self.settings.pattern)


@attrs.define
class Moved:
    """A file that was put away, whose writer may still write to it. changed: another state, and since when it is so."""

    path: bytes
    name: str
    seen: Seen
    until: float
    changed: tuple[Seen, float] | None = None


@attrs.define
class Watch:
    """Files that were put away. In memory: a restart ends the watch."""

    settings: SourceSettings
    clock: Clock
    _moved: deque[Moved] = attrs.field(factory=lambda: deque(maxlen=_MOST_WATCHED))

    def add(self, path: bytes, name: str, seen: Seen) -> None:
        """Watch a file from now on. seen: as it was read."""
        self._moved.append(Moved(path, name, seen, self.clock.monotonic() + self.settings.watch.total_seconds()))

    def changed(self, drop: Drop) -> list[Moved]:
        """Those that were written to, and then not for `settle`."""
        now, settle = self.clock.monotonic(), self.settings.settle.total_seconds()
        ready, keep = [], []
        for moved in self._moved:
            if now >= moved.until and moved.changed is None:
                continue
            state = drop.look(moved.path)
            if state is None:
                continue
            keep.append(moved)
            if state == moved.seen:
                moved.changed = None
            elif moved.changed is None or moved.changed[0] != state:
                moved.changed = state, now
            if moved.changed is not None and now - moved.changed[1] >= settle:
                ready.append(moved)
        self._moved = deque(keep, maxlen=_MOST_WATCHED)
        return ready

"""Files that were put away are watched for a time: their writer may still hold them open, and go on writing.

A file is taken when it was not written to for `settle`. A writer that stalls for longer goes on in `done/`, or, where
`done/` is on another file system, in a file that has no name any more: that one is kept open, and copied again.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from tillpost import Clock
from tillpost_folder.move import REASON
from tillpost_folder.scan import Seen

MOST = 10_000
"""Most files that are watched; of more, the newest."""
MOST_OPEN = 64
"""Most files without a name that are kept open."""
_OFTEN, _SELDOM = 1.0, 60.0
"""Seconds between two looks at a file: half as often each time."""
_AT_START = 1000
"""Files of the folders that are looked at in a round after the start."""
_LONGEST_BEFORE = 3600.0
"""Seconds a file may have lain in the inbox: an older one in `done` was read before, whatever touched it since."""
_MOST_TAKEN = 1000
"""Files put away that are compared with the journal; the newest."""


@attrs.define(eq=False)
class Watched:
    """A file that was put away. name: under which it was read. seen: as it was read."""

    path: Path
    name: str
    seen: Seen
    until: float
    due: float
    every: float = _OFTEN
    original: int | None = None
    """A handle of the file its writer may have open, where `path` is a copy."""
    changed: Seen | None = None
    """How it was at the last look, when that is not as it was read."""
    changed_at: float = 0.0

    def state(self) -> Seen | None:
        """How what the writer has is now; None when it is gone."""
        try:
            if self.original is not None:
                return Seen.of(self.path, os.fstat(self.original))
            return Seen.at(self.path)
        except OSError:
            return None

    def close(self) -> None:
        """Let go of the original."""
        if self.original is not None:
            os.close(self.original)
            self.original = None

    def copy_again(self) -> None:
        """Replace the copy by what the original has now. Raises OSError."""
        if self.original is None:
            return
        part = self.path.with_name(f".{self.path.name[:200]}.part")
        part.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
        with os.fdopen(os.dup(self.original), "rb") as file, os.fdopen(os.open(part, flags, 0o600), "wb") as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(self.path)


@attrs.define
class Watch:
    """Watches for so many seconds. In memory; after a start `look_back` finds those that were written to meanwhile."""

    clock: Clock
    seconds: float
    _files: deque[Watched] = attrs.field(factory=deque)
    _older: Iterator[Path] | None = None

    def add(self, path: Path, name: str, seen: Seen, original: int | None = None) -> None:
        """Watch a file from now on. seen: as it was read, before it was moved."""
        now = self.clock.monotonic()
        if self.seconds <= 0:
            if original is not None:
                os.close(original)
            return
        self._files.append(Watched(path, name, seen, now + self.seconds, now + _OFTEN, original=original))
        if len(self._files) > MOST:
            self._files.popleft().close()
        if original is not None:
            opened = [each for each in self._files if each.original is not None]
            for each in opened[: max(0, len(opened) - MOST_OPEN)]:
                each.close()

    def changed(self, settle: float) -> list[Watched]:
        """Those that were written to, and then not for `settle` seconds."""
        now = self.clock.monotonic()
        keep: deque[Watched] = deque()
        ready = []
        for each in self._files:
            state = each.state() if each.due <= now else each.seen
            if each.due > now:
                keep.append(each)
            elif state is None or (now >= each.until and each.changed is None):
                each.close()
            else:
                keep.append(each)
                if self._look(each, state, now, settle):
                    ready.append(each)
        self._files = keep
        return ready

    def _look(self, each: Watched, state: Seen, now: float, settle: float) -> bool:
        """Whether it was written to, and then not for so long; and when to look again."""
        is_ready = False
        if state.same_content(each.seen):
            each.changed, each.every = None, min(_SELDOM, each.every * 2)
        else:
            if each.changed is None or not state.same_content(each.changed):
                each.changed, each.changed_at = state, now
            is_ready = now - each.changed_at >= settle
            each.every = _OFTEN
        each.due = now + each.every
        return is_ready

    def read_again(self, watched: Watched, path: Path, seen: Seen) -> None:
        """It was read as it is now, and lies at that path."""
        watched.path, watched.seen, watched.changed = path, seen, None
        watched.until = self.clock.monotonic() + self.seconds
        # Its ctime is newer than its mtime from now on, by which `look_back` knows it as read.
        with suppress(OSError):
            path.chmod(path.stat(follow_symlinks=False).st_mode & 0o7777)

    def look_back(self, *folders: Path) -> None:
        """After a start: a part of the files in these folders, which an earlier process put away.

        A move sets the ctime of a file, and a write sets ctime and mtime: where they are the same, it was written to
        after it was put away.
        """
        if self.seconds <= 0:
            return
        if self._older is None:
            self._older = _listed(folders)
        since = self.clock.time() - self.seconds
        known = {each.path for each in self._files}
        for path, _ in zip(self._older, range(_AT_START), strict=False):
            seen = None
            with suppress(OSError):
                seen = Seen.at(path)
            if seen is None or seen.changed / 1e9 < since or path in known:
                continue
            as_read = attrs.evolve(seen, size=-1) if seen.changed == seen.status_changed else seen
            self.add(path, path.name, as_read)


def _listed(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") or entry.name.endswith(REASON)
                if not hidden and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def taken_since(done: Path, pattern: str, since: float) -> list[Seen]:
    """The files that were moved to this folder after that moment, and not written to there; the oldest first."""
    found = []
    for path in _listed((done,)):
        seen = None
        with suppress(OSError):
            seen = Seen.at(path)
        if seen is None or seen.changed == seen.status_changed or not fnmatchcase(path.name, pattern):
            continue
        if seen.status_changed / 1e9 > since and seen.changed / 1e9 > since - _LONGEST_BEFORE:
            found.append(seen)
    return sorted(found, key=lambda seen: (seen.status_changed, seen.path))[-_MOST_TAKEN:]

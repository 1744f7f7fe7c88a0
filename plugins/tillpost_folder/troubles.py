"""Files the source has trouble with: each is tried again after growing waits, and the others go on meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import attrs

from tillpost import Clock
from tillpost.model import DocumentTrouble
from tillpost.model.document import printable
from tillpost_folder.scan import Seen

WAIT_INITIAL, WAIT_MAX = 2.0, 300.0
"""Seconds before a file is tried again: doubled each time, up to five minutes, and at once when the file changes."""


@attrs.define
class _Trouble:
    seen: Seen | None
    reason: str
    wait: float
    due: float
    """Monotonic seconds."""
    retry_at: float
    sha256: str


@attrs.define
class Troubles:
    """By path. In memory: after a restart each is tried once more at once."""

    clock: Clock
    _of: dict[Path, _Trouble] = attrs.field(factory=dict)

    def rests(self, seen: Seen) -> bool:
        """Whether the file is unchanged and not due yet."""
        trouble = self._of.get(seen.path)
        return trouble is not None and trouble.seen == seen and self.clock.monotonic() < trouble.due

    def add(self, path: Path, seen: Seen | None, reason: str, sha256: str = "") -> None:
        """Trying it failed; it is tried again later, each time later. sha256: of its content, where that was read."""
        before = self._of.get(path)
        again = before is not None and before.reason == reason and before.seen == seen
        if before is not None and again and self.clock.monotonic() < before.due:
            return
        wait = min(WAIT_MAX, before.wait * 2) if before is not None and again else WAIT_INITIAL
        now = self.clock.time()
        self._of[path] = _Trouble(seen, reason, wait, self.clock.monotonic() + wait, round(now + wait, 3), sha256)

    def over(self, path: Path) -> None:
        """It went well."""
        self._of.pop(path, None)

    def keep(self, there: Collection[Path]) -> None:
        """Forget files that are gone."""
        for path in self._of.keys() - there:
            del self._of[path]

    def all(self) -> Iterator[DocumentTrouble]:
        """What there is to report."""
        for path, trouble in self._of.items():
            yield DocumentTrouble(
                name=printable(path.name),
                reason=trouble.reason,
                place=printable(str(path)),
                retry_at=trouble.retry_at,
                sha256=trouble.sha256,
            )

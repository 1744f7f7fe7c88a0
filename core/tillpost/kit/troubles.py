"""Documents a source has trouble with: each is tried again after growing waits, and the others go on meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Generic, TypeVar

import attrs

from tillpost.clock import Clock
from tillpost.model.document import DocumentTrouble

WAIT_INITIAL, WAIT_MAX = 2.0, 300.0
"""Seconds before a document is tried again: doubled each time, up to five minutes, and at once when it changes."""
Key = TypeVar("Key", bound=Hashable)
State = TypeVar("State")


@attrs.define
class _Trouble(Generic[State]):
    state: State | None
    wait: float
    due: float
    """Monotonic seconds."""
    told: DocumentTrouble


@attrs.define
class Troubles(Generic[Key, State]):
    """By what the source knows a document by. In memory: after a restart each is tried once more at once.

    A state is what the source sees of a document from outside (size and time of change): equal states mean that it was
    not changed in between.
    """

    clock: Clock
    _of: dict[Key, _Trouble[State]] = attrs.field(factory=dict)

    def rests(self, key: Key, state: State) -> bool:
        """Whether the document is unchanged and not due yet."""
        trouble = self._of.get(key)
        return trouble is not None and trouble.state == state and self.clock.monotonic() < trouble.due

    def add(self, key: Key, state: State | None, reason: str, *, name: str, place: str = "", sha256: str = "") -> None:
        """Trying it failed; it is tried again later, each time later. name, place, sha256: as of DocumentTrouble."""
        before = self._of.get(key)
        again = before is not None and before.told.reason == reason and before.state == state
        if before is not None and again and self.clock.monotonic() < before.due:
            return
        wait = min(WAIT_MAX, before.wait * 2) if before is not None and again else WAIT_INITIAL
        due = round(self.clock.time() + wait, 3)
        told = DocumentTrouble(name=name, reason=reason, place=place, sha256=sha256, retry_at=due)
        self._of[key] = _Trouble(state, wait, self.clock.monotonic() + wait, told)

    def over(self, key: Key) -> None:
        """It went well."""
        self._of.pop(key, None)

    def keep(self, there: Collection[Key]) -> None:
        """Forget documents that are gone."""
        for key in self._of.keys() - there:
            del self._of[key]

    def all(self) -> Iterator[DocumentTrouble]:
        """What there is to report."""
        for trouble in self._of.values():
            yield trouble.told

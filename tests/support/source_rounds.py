"""What a source hands over in rounds, and the clock by which it waits: both as the test puts them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import attrs

from tillpost import DocumentError
from tillpost.model import Document

NOW = 1_780_000_000.0


@attrs.define
class ToldClock:
    """The wall clock and the monotonic clock stand where the test puts them."""

    wall: float = NOW
    steady: float = 50.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        raise AssertionError("a source does not wait")


@attrs.define
class Accept:
    """Records what was handed over, with the source's place after it, and does what the flow might do."""

    names: list[str] = attrs.field(factory=list)
    bodies: list[bytes] = attrs.field(factory=list)
    cursor: str | None = None
    then: Callable[[Document], object] = attrs.field(default=lambda _: None)

    def __call__(self, document: Document, cursor: str | None = None) -> Mapping[str, int]:
        self.names.append(document.name)
        with document.open() as file:
            self.bodies.append(file.read())
        try:
            self.then(document)
        except DocumentError:  # the flow stores the place of a document that is set aside, too
            self.cursor = cursor
            raise
        self.cursor = cursor
        return {"accepted": 1}

    def by_name(self) -> dict[str, list[bytes]]:
        """The bodies of each name, in order."""
        found: dict[str, list[bytes]] = {}
        for name, body in zip(self.names, self.bodies, strict=True):
            found.setdefault(name, []).append(body)
        return found

"""The state of a pipeline's mapping guard; mapping_guard.py has its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from tillpost.journal import KnownMapping


@attrs.define
class GuardState:
    """Whether receipts may be sent with the mapping of this pipeline.

    fingerprint: of the mapping, "" for a pipeline without a guard. what: what the mapping is made of. hold: a new
    mapping waits until a person releases it, and is tried on the `first` receipts meanwhile.
    """

    fingerprint: str = ""
    what: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    hold: bool = False
    first: int = 20
    closed: bool = False
    """Nothing may be mapped and sent."""
    count: int = 0
    """On how many receipts the mapping was tried while the guard was closed."""
    since: float = 0.0

    def load(self, mapping: KnownMapping) -> None:
        """Take over what the journal knows of the mapping."""
        self.closed = mapping.released_at is None
        self.count, self.since = mapping.held, mapping.since

    def remaining(self) -> int:
        """How many more receipts are to be held."""
        return max(0, self.first - self.count)

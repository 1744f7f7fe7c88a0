"""The backlog of each till: receipts that are not delivered yet, and those that wait for a person."""

from __future__ import annotations

import attrs

from tillpost.journal.database import Table
from tillpost.journal.states import SETTLED, State

_WAITING = tuple(state for state in State if state not in SETTLED)


@attrs.frozen
class Backlog:
    """Of one till. undelivered: neither delivered, held nor skipped. oldest: when the first of them was accepted."""

    store: str
    till: str
    undelivered: int
    held: int
    oldest: float | None


class Backlogs(Table):
    """Read from the index by state; delivered receipts are not read."""

    def by_till(self) -> list[Backlog]:
        """The backlogs of all tills; records that could not be read may have "" as till and store."""
        listed = ", ".join(f"'{state}'" for state in (*_WAITING, State.HELD))
        rows = self._database.read(
            "SELECT store, till, count(*) FILTER (WHERE state <> 'held'), count(*) FILTER (WHERE state = 'held'),"  # noqa: S608 - ours
            " min(accepted_at) FILTER (WHERE state <> 'held')"
            f" FROM receipts INDEXED BY receipts_state WHERE state IN ({listed}) GROUP BY store, till"
        )
        return [Backlog(*row) for row in rows]

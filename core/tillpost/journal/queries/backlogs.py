"""The backlog of each till and state: receipts that are not delivered yet, and those that wait for a person."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from tillpost.journal.database import List, Table
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

    def not_looked_up(self, kinds: Collection[str]) -> dict[str, int]:
        """Kinds of identifier → the receipts that wait for a contact without an id that has these, and none of `kinds`.

        Contacts that fallback files create are not among them.
        """
        rows = self._database.read(
            "SELECT (SELECT group_concat(kind, ', ') FROM (SELECT DISTINCT kind FROM identifiers"
            " WHERE contact = c.key ORDER BY kind)) AS has, count(*)"
            " FROM receipts r INDEXED BY receipts_state JOIN contacts c ON c.key = r.contact"
            " WHERE r.state IN ('accepted', 'resolved', 'waiting') AND c.contact_id = '' AND c.created_by = ''"
            " AND NOT EXISTS (SELECT 1 FROM identifiers i WHERE i.contact = c.key"
            " AND i.kind IN (SELECT value FROM json_each(?))) GROUP BY has ORDER BY has",
            (List(kinds),),
        )
        return {str(has or "none"): int(count) for has, count in rows}

    def oldest(self, *states: State) -> dict[str, float]:
        """State → when its oldest receipt was accepted, seconds since 1970; states without a receipt are omitted.

        Receipts are accepted in the order of their seq, so the first of a state is its oldest.
        """
        rows = self._database.read(
            "WITH RECURSIVE first(state, route) AS ("
            " SELECT value, (SELECT min(route) FROM receipts INDEXED BY receipts_state WHERE state = value)"
            " FROM json_each(?)"
            " UNION ALL"
            " SELECT state, (SELECT min(route) FROM receipts INDEXED BY receipts_state"
            " WHERE receipts.state = first.state AND receipts.route > first.route) FROM first WHERE route IS NOT NULL)"
            " SELECT first.state, (SELECT accepted_at FROM receipts INDEXED BY receipts_state"
            " WHERE receipts.state = first.state AND receipts.route = first.route ORDER BY seq LIMIT 1)"
            " FROM first WHERE route IS NOT NULL",
            (List(states),),
        )
        found: dict[str, float] = {}
        for state, at in rows:
            if at is not None:
                found[str(state)] = min(float(at), found.get(str(state), float(at)))
        return found

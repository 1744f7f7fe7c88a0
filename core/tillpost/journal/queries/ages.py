"""The age of the oldest receipt in each state, by one index lookup for each state and route."""

from __future__ import annotations

from tillpost.journal.database import List, Table
from tillpost.journal.states import State


class Ages(Table):
    """Ages of receipts."""

    def oldest(self, *states: State) -> dict[str, float]:
        """State → when its oldest receipt was accepted, seconds since 1970; states without a receipt are left out.

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

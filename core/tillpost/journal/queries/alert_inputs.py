"""The queries of the alerts, every half minute: answered from indexes, however many receipts there are."""

from __future__ import annotations

import json

from tillpost.journal.database import Table
from tillpost.journal.states import OPEN
from tillpost.journal.tables.contact_identity import CONFLICT
from tillpost.journal.tables.mappings import NEW_MAPPING

_OPEN = ", ".join(f"'{state}'" for state in OPEN)
SAMPLE = 10_000
"""The latest receipts, from which the present rate is estimated."""


class AlertInputs(Table):
    """Ages, numbers and sizes."""

    def oldest(self) -> tuple[str, float, str] | None:
        """The id, the time of acceptance and the reason of the oldest open receipt; None without one."""
        first = f"SELECT min(seq) FROM receipts INDEXED BY receipts_due WHERE state IN ({_OPEN})"  # noqa: S608 - ours
        rows = self._database.read(f"SELECT id, accepted_at, reason FROM receipts WHERE seq = ({first})")  # noqa: S608 - ours
        return (str(rows[0][0]), float(rows[0][1]), str(rows[0][2])) if rows else None

    def held(self) -> list[tuple[str, int]]:
        """The reasons of held receipts, each with how many have it, that of the oldest receipt first.

        Without those of a contact in conflict and of a mapping that waits for its release: these have their own alerts.
        """
        rows = self._database.read(
            "SELECT reason, count(*) FROM receipts INDEXED BY receipts_state WHERE state = 'held'"
            " AND reason NOT LIKE ? AND reason NOT LIKE ? GROUP BY reason ORDER BY min(seq)",
            (f"{CONFLICT}%", f"{NEW_MAPPING}%"),
        )
        return [(str(reason), int(count)) for reason, count in rows]

    def last_event(self) -> float:
        """The time of the newest event; 0 without any."""
        rows = self._database.read("SELECT at FROM events ORDER BY seq DESC LIMIT 1")
        return float(rows[0][0]) if rows else 0.0

    def last_delivery_event(self, until: float) -> float | None:
        """When a receipt was last sent or tried, not after `until`, as far as the newest events know; None: unknown."""
        ((newest,),) = self._database.read("SELECT max(seq) FROM events")
        ((at,),) = self._database.read(
            "SELECT max(at) FROM events WHERE seq > ? AND at <= ? AND step IN ('deliver', 'resolve')",
            ((newest or 0) - SAMPLE, until),
        )
        return None if at is None else float(at)

    def last_clock_change(self, since: float, until: float) -> tuple[float, float] | None:
        """When the wall clock was set, from `since` to `until`, and by how many seconds, if the newest events know."""
        ((newest,),) = self._database.read("SELECT max(seq) FROM events")
        rows = self._database.read(
            "SELECT at, detail FROM events WHERE seq > ? AND step = 'clock' AND at BETWEEN ? AND ?"
            " ORDER BY seq DESC LIMIT 1",
            ((newest or 0) - SAMPLE, since, until),
        )
        return (float(rows[0][0]), float(json.loads(rows[0][1])["seconds"])) if rows else None

    def accepted_between(self, begin: float, end: float) -> dict[tuple[str, str], int]:
        """Receipts accepted from `begin` to before `end`, by store and till. Reads these rows only.

        Times of acceptance grow with the rows, except where the clock was set back; then it is not exact.
        """
        first, last = self._row_at(begin), self._row_at(end)
        rows = self._database.read(
            "SELECT store, till, count(*) FROM receipts NOT INDEXED WHERE seq >= ? AND seq < ? GROUP BY store, till",
            (first, last),
        )
        return {(str(store), str(till)): int(count) for store, till, count in rows}

    def _row_at(self, moment: float) -> int:
        """The first row that was accepted at this moment or later; one after the last when there is none."""
        ((low, high),) = self._database.read("SELECT min(seq), max(seq) FROM receipts")
        if low is None:
            return 0
        low, high = int(low), int(high) + 1
        while low < high:
            middle = (low + high) // 2
            rows = self._database.read(
                "SELECT seq, accepted_at FROM receipts WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)
            )
            if rows and rows[0][1] < moment:
                low = int(rows[0][0]) + 1
            else:
                high = middle
        return low

    def acceptance_rate(self, now: float) -> float:
        """Receipts a second that were accepted lately, over an hour at least."""
        ((last,),) = self._database.read("SELECT max(seq) FROM receipts")
        if not last:
            return 0.0
        ((first, since),) = self._database.read(
            "SELECT seq, accepted_at FROM receipts WHERE seq >= ? ORDER BY seq LIMIT 1", (last - SAMPLE,)
        )
        return float((last - first + 1) / max(now - since, 3600.0))

"""The queries of the alerts, every half minute: answered from indexes, however many receipts there are."""

from __future__ import annotations

from tillpost.journal.database import Table
from tillpost.journal.states import OPEN
from tillpost.journal.tables.contact_lookups import CONFLICT
from tillpost.journal.tables.mappings import NEW_MAPPING

_OPEN = ", ".join(f"'{state}'" for state in OPEN)
SAMPLE = 10_000
"""The latest receipts, from which the present rate is estimated."""


class AlertInputs(Table):
    """Ages, numbers and sizes."""

    def oldest(self) -> tuple[str, float] | None:
        """The id and the time of acceptance of the oldest open receipt; None without one."""
        first = f"SELECT min(seq) FROM receipts INDEXED BY receipts_due WHERE state IN ({_OPEN})"  # noqa: S608 - ours
        rows = self._database.read(f"SELECT id, accepted_at FROM receipts WHERE seq = ({first})")  # noqa: S608 - ours
        return (str(rows[0][0]), float(rows[0][1])) if rows else None

    def held(self) -> tuple[int, str]:
        """The number of held receipts, and the reason of the first.

        Without those of a contact in conflict and of a mapping that waits for its release: these have their own alerts.
        """
        rows = self._database.read(
            "SELECT count(*), min(seq) FROM receipts INDEXED BY receipts_state WHERE state = 'held'"
            " AND reason NOT LIKE ? AND reason NOT LIKE ?",
            (f"{CONFLICT}%", f"{NEW_MAPPING}%"),
        )
        count, first = rows[0]
        reason = self._database.read("SELECT reason FROM receipts WHERE seq = ?", (first,)) if count else [("",)]
        return int(count), str(reason[0][0])

    def acceptance_rate(self, now: float) -> float:
        """Receipts a second that were accepted lately, over an hour at least."""
        ((last,),) = self._database.read("SELECT max(seq) FROM receipts")
        if not last:
            return 0.0
        ((first, since),) = self._database.read(
            "SELECT seq, accepted_at FROM receipts WHERE seq >= ? ORDER BY seq LIMIT 1", (last - SAMPLE,)
        )
        return float((last - first + 1) / max(now - since, 3600.0))

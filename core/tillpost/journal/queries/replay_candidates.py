"""The receipts that a replay chooses from: those of a store's days, in order of time."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tillpost.journal.database import Table
from tillpost.journal.states import OPEN, State
from tillpost.journal.tables.replays import ReplayCursor, ReplayOrder

_DUE = ", ".join(f"'{state}'" for state in OPEN)


@attrs.frozen(kw_only=True)
class ReplayCandidate:
    """A receipt of the store's days, with what decides whether it is sent again. at: its place in the order of time."""

    seq: int
    id: str
    state: State = attrs.field(converter=State)
    route: str
    reason: str
    contact: str | None
    currency: str
    total: str
    changed_at: float
    delivered_at: float | None
    verified_at: float | None
    at: ReplayCursor


class ReplayCandidates(Table):
    """Read a few at a time, by the index of a store's days."""

    def newest(self) -> int:
        """The last row there is."""
        return int(self._database.read("SELECT max(seq) FROM receipts")[0][0] or 0)

    def candidates(self, order: ReplayOrder, cursor: ReplayCursor, limit: int) -> list[ReplayCandidate]:
        """The next receipts after the cursor, by business date and then by time of sale."""
        found: list[ReplayCandidate] = []
        day = cursor.day or self._day_after(order, "")
        while day and len(found) < limit:
            found += self._of_day(order, day, cursor, limit - len(found))
            day = self._day_after(order, day)
        return found

    def pages(self, order: ReplayOrder, page: int = 500) -> Iterator[list[ReplayCandidate]]:
        """All of them, a page at a time."""
        cursor = ReplayCursor()
        while rows := self.candidates(order, cursor, page):
            yield rows
            cursor = rows[-1].at

    def undated(self, store: str, till: str) -> int:
        """The number of records of the store whose day is unknown because they could not be read."""
        sql = "SELECT count(*) FROM receipts INDEXED BY receipts_day WHERE store = ? AND business_date = ''"
        return int(self._database.read(f"{sql} AND ? IN ('', till)", (store, till))[0][0])

    def backlog(self, now: float, most: int) -> int:
        """The number of receipts that are due, at most `most`."""
        sql = f"SELECT 1 FROM receipts INDEXED BY receipts_due WHERE due <= ? AND state IN ({_DUE}) LIMIT ?"  # noqa: S608
        return len(self._database.read(sql, (now, most)))

    def _day_after(self, order: ReplayOrder, day: str) -> str:
        clause = "business_date > ?" if day else "business_date >= ?"
        rows = self._database.read(
            f"SELECT min(business_date) FROM receipts INDEXED BY receipts_day WHERE store = ? AND {clause}"  # noqa: S608
            " AND business_date <= ?",
            (order.store, day or order.first, order.last),
        )
        return str(rows[0][0] or "")

    def _of_day(self, order: ReplayOrder, day: str, cursor: ReplayCursor, limit: int) -> list[ReplayCandidate]:
        at = (cursor.moment, cursor.after) if cursor.day == day else ("", 0)
        rows = self._database.read(
            "SELECT * FROM (SELECT seq, id, state, route, reason, contact, currency, total, changed_at, delivered_at,"
            " verified_at,"
            " coalesce(datetime(created), created) AS moment"
            " FROM receipts INDEXED BY receipts_day WHERE store = ? AND business_date = ? AND seq <= ?"
            " AND ? IN ('', till)) AS day WHERE (moment, seq) > (?, ?) ORDER BY moment, seq LIMIT ?",
            (order.store, day, order.newest, order.till, *at, limit),
        )
        names = [field.name for field in attrs.fields(ReplayCandidate)][:-1]
        return [
            ReplayCandidate(**dict(zip(names, row[:-1], strict=True)), at=ReplayCursor(day, row[-1], row[0]))
            for row in rows
        ]

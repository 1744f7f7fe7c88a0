"""How the sources are: whether each works, since when it does not, why, and when it is tried again."""

from __future__ import annotations

from enum import StrEnum

import attrs

from tillpost.journal.database import Table, Transaction
from tillpost.journal.tables import events


class SourceState(StrEnum):
    """failing: it is tried again by itself. misconfigured: also, but a person must change a setting."""

    WORKING = "working"
    FAILING = "failing"
    MISCONFIGURED = "misconfigured"


@attrs.frozen
class SourceStatus:
    """A source by the name of its plugin. Times in seconds since 1970; due: when it is tried again."""

    name: str
    state: SourceState = attrs.field(converter=SourceState)
    reason: str
    since: float
    due: float | None
    failures: int


class Sources(Table):
    """The tables of sources and of their cursors."""

    def cursor(self, name: str) -> str | None:
        """The place the source of this name gave with its last document; None when it never did."""
        rows = self._database.read("SELECT cursor FROM cursors WHERE source = ?", (name,))
        return str(rows[0][0]) if rows else None

    def all(self) -> list[SourceStatus]:
        """Those that have run, by name."""
        rows = self._database.read("SELECT name, state, reason, since, due, failures FROM sources ORDER BY name")
        return [SourceStatus(*row) for row in rows]

    def get(self, name: str) -> SourceStatus | None:
        """The source of this name; None when it never ran."""
        return next((source for source in self.all() if source.name == name), None)

    def put(self, source: SourceStatus, now: float) -> None:
        """Store how it is; a change of its state or reason is an event."""

        def work(transaction: Transaction) -> None:
            before = transaction.execute("SELECT state, reason FROM sources WHERE name = ?", (source.name,)).fetchone()
            transaction.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state,"
                " reason = excluded.reason, since = excluded.since, due = excluded.due, failures = excluded.failures",
                attrs.astuple(source),
            )
            if before != (source.state, source.reason) and (before or source.state != SourceState.WORKING):
                events.record(transaction, now, "source", source.state, source=source.name, reason=source.reason)

        self._database.write(work)


def store_cursor(transaction: Transaction, source: str, cursor: str, now: float) -> None:
    """Store the place of a source, in the transaction of the last records of the document it was given with."""
    transaction.execute(
        "INSERT INTO cursors VALUES (?, ?, ?) ON CONFLICT (source) DO UPDATE SET cursor = excluded.cursor,"
        " at = excluded.at",
        (source, cursor, now),
    )

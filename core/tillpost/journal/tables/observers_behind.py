"""Observers that cannot take an event now: each keeps its own place behind that of the others, and has why it waits."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost.journal.database import Table, Transaction
from tillpost.journal.tables import steps_set_aside
from tillpost.journal.tables.sources import SourceState

_LATE = 300.0
"""Seconds for which an observer may wait before a person is told."""


@attrs.frozen
class ObserverBehind:
    """An observer by its name in the pipeline. Times in seconds since 1970.

    observed: the last event it has taken. state: failing, misconfigured, or working while it catches up. since: when
    it began to fail. due: when the next event is passed on to it. failures: in a row.
    """

    name: str
    observed: int
    state: SourceState = attrs.field(converter=SourceState)
    reason: str
    since: float
    due: float | None
    failures: int

    def is_late(self, now: float) -> bool:
        """Whether a person must know: it waits for long, or since a moment that a clock that was ahead wrote."""
        return not -_LATE <= now - self.since <= _LATE


class ObserversBehind(Table):
    """The table of observers that are behind; one that has caught up leaves it."""

    def all(self) -> list[ObserverBehind]:
        """Those that are behind, by name."""
        rows = self._database.read(
            "SELECT name, observed, state, reason, since, due, failures FROM observers_behind ORDER BY name"
        )
        return [ObserverBehind(*row) for row in rows]

    def count_waiting(self, observer: ObserverBehind) -> int:
        """How many events of those that the others have taken wait for it."""
        sql = "SELECT count(*) FROM events WHERE seq > ? AND seq <= (SELECT observed FROM destination)"
        return int(self._database.read(sql, (observer.observed,))[0][0])

    def move(self, observed: int, fallen_behind: Iterable[ObserverBehind] = ()) -> None:
        """The observers have taken the events up to this one, but for those that have fallen behind just now."""
        rows = [attrs.astuple(each) for each in fallen_behind]

        def work(transaction: Transaction) -> None:
            for row in rows:
                _store(transaction, row)
            transaction.execute("UPDATE destination SET observed = ?", (observed,))

        self._database.write(work)

    def put(self, observer: ObserverBehind) -> None:
        """Store where it is, and why it waits."""
        self._database.write(lambda transaction: _store(transaction, attrs.astuple(observer)))

    def remove(self, name: str) -> None:
        """It has caught up, or is no observer of the pipeline any more."""
        sql = "DELETE FROM observers_behind WHERE name = ?"
        self._database.write(lambda transaction: transaction.execute(sql, (name,)))


def _store(transaction: Transaction, row: tuple[object, ...]) -> None:
    transaction.execute(
        "INSERT INTO observers_behind VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
        " observed = excluded.observed, state = excluded.state, reason = excluded.reason, since = excluded.since,"
        " due = excluded.due, failures = excluded.failures",
        row,
    )


def lose_removed(transaction: Transaction, removed: Iterable[int], now: float) -> None:
    """Retention removes these events: those that an observer still waits for are lost to it."""
    seqs = list(removed)
    for name, observed, reason in transaction.execute("SELECT name, observed, reason FROM observers_behind").fetchall():
        if count := sum(seq > observed for seq in seqs):
            why = f"it waited for longer than events are kept: {reason}"
            steps_set_aside.lose(transaction, name, why, count, now)

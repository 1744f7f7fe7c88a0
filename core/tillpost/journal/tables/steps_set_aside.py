"""Steps that are set aside, or fail on: a call that ended the process or raised again and again, and lost events."""

from __future__ import annotations

import attrs

from tillpost.journal.database import Table, Transaction
from tillpost.journal.tables import events

OBSERVE = "observe"
"""The step whose events are lost, not tried again; its row has the name of a plugin."""
_DAY = 86400.0


@attrs.frozen
class StepSetAside:
    """A step and what it is about: a contact, a file, a plugin. Times in seconds since 1970.

    count: ends of the process, or calls that raised; of an observer: events that it lost. at: the last of them. due:
    when it is tried again; None: it is tried on, or never.
    """

    step: str
    name: str
    reason: str
    count: int
    since: float
    at: float
    due: float | None

    def is_over(self, now: float) -> bool:
        """Whether a day has passed since it was due, or an event was lost: nothing needs it any more."""
        return abs(now - (self.due or self.at)) > _DAY


class StepsSetAside(Table):
    """The table of steps set aside."""

    def standing(self, now: float) -> list[StepSetAside]:
        """Those that are not over, the oldest first."""
        rows = self._database.read(
            "SELECT step, name, reason, count, since, at, due FROM steps_set_aside ORDER BY since, step, name"
        )
        return [each for each in (StepSetAside(*row) for row in rows) if not each.is_over(now)]

    def put(self, step: str, name: str, reason: str, count: int, now: float, due: float | None) -> None:
        """Set a step aside, or again; an event. due: None where it raises and is tried on."""

        def work(transaction: Transaction) -> None:
            if step != OBSERVE:
                transaction.execute(
                    "INSERT INTO steps_set_aside VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (step, name) DO UPDATE SET"
                    " reason = excluded.reason, count = excluded.count, at = excluded.at, due = excluded.due",
                    (step, name, reason, count, now, now, due),
                )
            events.record(
                transaction, now, "crash", "raises" if due is None else "set aside", hook=step, name=name, reason=reason
            )

        self._database.write(work)

    def add_lost(self, plugin: str, reason: str, count: int, now: float) -> None:
        """An observer lost so many events. Not an event itself, which the observer might lose, too."""
        self._database.write(lambda transaction: lose(transaction, plugin, reason, count, now))

    def remove(self, step: str, name: str) -> None:
        """The step came to its end."""
        sql = "DELETE FROM steps_set_aside WHERE step = ? AND name = ?"
        self._database.write(lambda transaction: transaction.execute(sql, (step, name)))


def lose(transaction: Transaction, plugin: str, reason: str, count: int, now: float) -> None:
    """See `add_lost`."""
    transaction.execute("DELETE FROM steps_set_aside WHERE step = ? AND at < ?", (OBSERVE, now - _DAY))
    transaction.execute(
        "INSERT INTO steps_set_aside VALUES (?1, ?2, ?3, ?4, ?5, ?5, NULL) ON CONFLICT (step, name) DO UPDATE"
        " SET reason = excluded.reason, count = count + excluded.count, at = excluded.at",
        (OBSERVE, plugin, reason, count, now),
    )

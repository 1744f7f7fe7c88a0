"""The state of the destination: whether it is reachable, since when and why, and when to probe it next."""

from __future__ import annotations

import attrs

from tillpost.journal.database import Table, Transaction, first
from tillpost.journal.tables import events


@attrs.frozen(kw_only=True)
class Destination:
    """One row. `state`: online, degraded, paused, fallback, catching up, confirming (flow/fallback/outage.py decides).

    unreachable_since: when answers stopped, None while it answers; failures: calls that have failed since.
    answers: answers in a row since, while files are still written.
    probe_due: when to probe next; files_due: when to write files next. Seconds since 1970.
    """

    state: str = "online"
    reason: str = ""
    since: float = 0.0
    unreachable_since: float | None = None
    failures: int = 0
    answers: int = 0
    probe_due: float = 0.0
    files_due: float = 0.0


class Destinations(Table):
    """The one row of the table destination, with the sequence of batches."""

    def get(self) -> Destination:
        """The row. Raises JournalDamaged when it is missing or makes no sense."""
        names = [field.name for field in attrs.fields(Destination)]
        rows = self._database.read(f"SELECT {', '.join(names)} FROM destination")  # noqa: S608 - names of ours
        if not rows or not fits(rows[0]):
            raise self._database.damaged("table destination: its row is missing or makes no sense")
        return Destination(**dict(zip(names, rows[0], strict=True)))

    def put(self, destination: Destination, now: float) -> None:
        """Store the row; a change of state is recorded as an event."""

        def work(transaction: Transaction) -> None:
            old = first(transaction.execute("SELECT state FROM destination"))
            transaction.execute(
                "UPDATE destination SET state = ?, reason = ?, since = ?, unreachable_since = ?, failures = ?,"
                " answers = ?, probe_due = ?, files_due = ?",
                attrs.astuple(destination),
            )
            if old != destination.state:
                events.record(transaction, now, "destination", destination.state, reason=destination.reason)

        self._database.write(work)

    def next_sequence(self) -> int:
        """The next number of a batch, greater than every earlier one of this journal."""
        return self._database.write(
            lambda transaction: int(
                first(transaction.execute("UPDATE destination SET sequence = sequence + 1 RETURNING sequence"))
            )
        )

    def history(self) -> list[tuple[float, str, str]]:
        """Changes of state, oldest first: time, new state, detail as JSON."""
        rows = self._database.read(
            "SELECT at, what, detail FROM events INDEXED BY events_destination WHERE step = 'destination' ORDER BY seq"
        )
        return [(float(at), str(what), str(detail)) for at, what, detail in rows]


def fits(row: tuple[object, ...]) -> bool:
    """Whether the columns of a row are of the types they must be: two texts, then times and numbers."""
    texts, numbers = row[:2], (row[2], row[3] or 0, *row[4:])
    return all(isinstance(each, str) for each in texts) and all(isinstance(each, int | float) for each in numbers)

"""What is known to be missing in the journal, until a person has settled it."""

from __future__ import annotations

import attrs

from tillpost.journal.database import Table, Transaction


@attrs.frozen
class Loss:
    """at: when it was found, seconds since 1970. what: is missing, and why. next_step: what a person does."""

    seq: int
    at: float
    what: str
    next_step: str


def record(transaction: Transaction, now: float, what: str, next_step: str) -> None:
    """Record a loss, once while it is open."""
    transaction.execute(
        "INSERT INTO losses (at, what, next_step) SELECT ?1, ?2, ?3"
        " WHERE NOT EXISTS (SELECT 1 FROM losses WHERE what = ?2 AND settled_at IS NULL)",
        (now, what, next_step),
    )


class Losses(Table):
    """The table `losses`."""

    def open(self) -> list[Loss]:
        """Those that no person has settled, the oldest first."""
        rows = self._database.read("SELECT seq, at, what, next_step FROM losses WHERE settled_at IS NULL ORDER BY seq")
        return [Loss(*row) for row in rows]

    def record(self, now: float, what: str, next_step: str) -> None:
        """Record a loss, once while it is open."""
        self._database.write(lambda transaction: record(transaction, now, what, next_step))

    def settle(self, now: float, about: str = "") -> int:
        """A person has settled them, or those whose text has `about`; returns how many there were."""

        seqs = [(now, loss.seq) for loss in self.open() if about in loss.what]
        sql = "UPDATE losses SET settled_at = ? WHERE seq = ? AND settled_at IS NULL"
        self._database.write(lambda transaction: transaction.executemany(sql, seqs))
        return len(seqs)

"""Alerts and their notices: stored, so that a restart repeats none and forgets none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from tillpost.journal.database import Table, Transaction, first

RAISED, OVER = "raised", "over"


@attrs.frozen
class Alert:
    """A problem: what happened, what it means, what to do. over_at: None while it stands. Seconds since 1970.

    key: the rule and, where there may be several, what it is about (`gap 12/1`); one of a key stands at a time.
    """

    seq: int
    key: str
    what: str
    means: str
    next_step: str
    raised_at: float
    over_at: float | None

    @property
    def rule(self) -> str:
        """The rule that raised it."""
        return self.key.split(" ")[0]


@attrs.frozen
class Notice:
    """A message that a channel has not taken yet: raised, or over. attempts: how often it failed."""

    seq: int
    event: str
    channel: str
    attempts: int
    alert: Alert


_ALERT = "alerts.seq, key, what, means, next_step, raised_at, over_at"


CALM = 60.0
"""Seconds an alert must be over before a channel is told so; raised again within them, it goes on standing untold."""
MOST_CALM = 16
"""Each time it comes back, that takes twice as long, up to so many times CALM; it is the same alert so long."""


class Alerts(Table):
    """The alerts of a pipeline, and the notices still to be sent."""

    def standing(self) -> list[Alert]:
        """Those that are not over, the oldest first."""
        rows = self._database.read(f"SELECT {_ALERT} FROM alerts WHERE over_at IS NULL ORDER BY seq")  # noqa: S608 - ours
        return [Alert(*row) for row in rows]

    def recent(self, limit: int) -> list[Alert]:
        """Those that are over, the latest raised first."""
        rows = self._database.read(
            f"SELECT {_ALERT} FROM alerts WHERE over_at IS NOT NULL ORDER BY seq DESC LIMIT ?",  # noqa: S608 - ours
            (limit,),
        )
        return [Alert(*row) for row in rows]

    def change(
        self,
        raised: Iterable[tuple[str, str, str, str]],
        reworded: Iterable[tuple[int, str]],
        over: Iterable[int],
        channels: Sequence[str],
        now: float,
    ) -> list[str]:
        """In one commit: raise (key, what, means, next_step), reword (seq, what), end (seq), notify each channel.

        The keys of those that are told: one that comes back before a channel was told that it is over is not.
        """
        new: list[str] = []

        def work(transaction: Transaction) -> None:
            new.clear()
            changed = []
            for key, *texts in raised:
                seq, untold = _stands_again(transaction, key, texts, now)
                if seq is not None:
                    if not untold:
                        changed.append((seq, RAISED, now))
                        new.append(key)
                    continue
                sql = "INSERT INTO alerts (key, what, means, next_step, raised_at) VALUES (?,?,?,?,?) RETURNING seq"
                changed.append((first(transaction.execute(sql, (key, *texts, now))), RAISED, now))
                new.append(key)
            for seq, what in reworded:
                transaction.execute("UPDATE alerts SET what = ? WHERE seq = ?", (what, seq))
            for seq in over:
                sql = "UPDATE alerts SET over_at = ? WHERE seq = ? RETURNING again"
                again = first(transaction.execute(sql, (now, seq))) or 0
                changed.append((seq, OVER, now + CALM * min(2**again, MOST_CALM)))
            transaction.executemany(
                "INSERT INTO notices (alert, event, channel, due) VALUES (?,?,?,?)",
                [(seq, event, channel, due) for seq, event, due in changed for channel in channels],
            )

        self._database.write(work)
        return new

    def watched_at(self) -> float | None:
        """When the rules were evaluated last by a `tillpost run`; None: never."""
        rows = self._database.read("SELECT at FROM watching")
        return float(rows[0][0]) if rows else None

    def mark_watched(self, now: float) -> None:
        """The rules were evaluated now."""
        sql = "INSERT INTO watching (one, at) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at"
        self._database.write(lambda transaction: transaction.execute(sql, (now,)))

    def due(self, now: float) -> list[Notice]:
        """The notices to be sent now; of an alert and a channel only the earliest."""
        rows = self._database.read(
            f"SELECT n.seq, n.event, n.channel, n.attempts, {_ALERT} FROM notices n INDEXED BY notices_due"  # noqa: S608
            " JOIN alerts ON alerts.seq = n.alert WHERE n.due <= ? AND NOT EXISTS (SELECT 1 FROM notices b"
            " WHERE b.alert = n.alert AND b.channel = n.channel AND b.seq < n.seq) ORDER BY n.seq",
            (now,),
        )
        return [Notice(row[0], row[1], row[2], row[3], Alert(*row[4:])) for row in rows]

    def unsent(self) -> list[tuple[str, int, str]]:
        """Of the notices that a channel did not take: channel, attempts, why."""
        return self._database.read("SELECT channel, attempts, reason FROM notices WHERE attempts > 0 ORDER BY seq")

    def sent(self, notice: Notice) -> None:
        """Delete a notice: a channel took it, or it is given up."""
        self._database.write(
            lambda transaction: transaction.execute("DELETE FROM notices WHERE seq = ?", (notice.seq,))
        )

    def refused(self, notice: Notice, reason: str, due: float) -> None:
        """A channel did not take it; it is due again at `due`."""
        sql = "UPDATE notices SET attempts = attempts + 1, due = ?, reason = ? WHERE seq = ?"
        self._database.write(lambda transaction: transaction.execute(sql, (due, reason, notice.seq)))

    def forget(self, before: float) -> None:
        """Delete alerts that were over before then, once their notices are sent."""
        sql = "DELETE FROM alerts WHERE over_at < ? AND seq NOT IN (SELECT alert FROM notices)"
        self._database.write(lambda transaction: transaction.execute(sql, (before,)))


def _stands_again(transaction: Transaction, key: str, texts: Sequence[str], now: float) -> tuple[int | None, bool]:
    """Let an alert of this key that was over a while ago stand again: its row, and whether that is told to nobody."""
    sql = "SELECT seq, over_at, again FROM alerts WHERE key = ? AND over_at > ? ORDER BY seq DESC LIMIT 1"
    for seq, over_at, again in transaction.execute(sql, (key, now - CALM * MOST_CALM)).fetchall():
        sql = (
            "UPDATE alerts SET over_at = NULL, what = ?, means = ?, next_step = ?, again = min(again + 1, 30)"
            " WHERE seq = ?"
        )
        transaction.execute(sql, (*texts, seq))
        unsent = transaction.execute("DELETE FROM notices WHERE alert = ? AND event = ? RETURNING seq", (seq, OVER))
        return int(seq), bool(unsent.fetchall()) or over_at <= now < over_at + CALM * min(2**again, MOST_CALM)
    return None, False

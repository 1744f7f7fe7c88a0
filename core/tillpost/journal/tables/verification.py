"""Verification: delivered receipts that Engage's history is yet to show, and what became of them.

Receipts are found by two partial indexes (schema.py, 15), which hold only what waits. The columns are set in the same
UPDATE that settles a receipt (moves.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from tillpost.journal.database import List, Table, Transaction
from tillpost.journal.moves import Move, apply_moves
from tillpost.journal.states import VERIFICATIONS, State
from tillpost.journal.tables import events
from tillpost.journal.tables.receipt_rows import COLUMNS, Entry, decode

NOT_SHOWN = "Engage does not show it"
"""How the reason of a receipt begins that is held because its contact is there and the history does not have it."""
CUSTOMER_UNKNOWN = f"{NOT_SHOWN} (customer unknown)"
"""The same of a receipt whose contact the import of its file has not created."""
_OF_A_STORE = 10_000
"""Receipts of a store that are looked through for one that is shown."""
_NEAR = 2000
"""Receipts of a contact that are read for one look, from the first that is due: a house contact has millions."""
_IMPORT = 3600.0
"""Seconds in which Engage has surely imported what it accepted."""
_REPAIRED = 31 * 86400.0
"""Seconds after its delivery for which a receipt is sent again by itself: later nobody would repair it."""
_SENT_AGAIN = 2
"""How often that happens to a receipt."""
_LAG_OF = 100
"""About so many verified receipts make the mean of the lag."""


class HistoryState(StrEnum):
    """Whether the tenant shows the histories of its contacts."""

    UNKNOWN = "unknown"
    THERE = "there"
    NOT_TO_BE_HAD = "not to be had"


@attrs.frozen(kw_only=True)
class VerificationStand:
    """How verification stands.

    history: whether the tenant shows histories, with the reason and since when (seconds since 1970). verified: receipts
    by route. waiting: receipts whose history is yet to be read; oldest: when the first of them was accepted by API.
    unverified: delivered, and neither verified nor waiting. lag: mean seconds from delivered to verified, of the
    latest. looks, requests: made so far.
    """

    history: HistoryState
    reason: str
    since: float
    verified: Mapping[str, int]
    waiting: int
    oldest: float | None
    unverified: int
    lag: float | None
    looks: int
    requests: int

    @property
    def share(self) -> float | None:
        """Verified receipts of all delivered, from 0 to 1; None without any."""
        count = sum(self.verified.values())
        total = count + self.waiting + self.unverified
        return count / total if total else None


@attrs.define(kw_only=True)
class Looked:
    """The results of some looks into histories, committed together.

    shown: rows the history shows. later: row, when it is looked for again, and whether it was looked for in vain.
    moves: receipts that are sent again or held, each as it was looked for. confirmed: contacts whose contactId a
    history has proved valid.
    """

    shown: list[int] = attrs.field(factory=list)
    later: list[tuple[int, float, bool]] = attrs.field(factory=list)
    moves: list[tuple[Entry, Move]] = attrs.field(factory=list)
    confirmed: list[str] = attrs.field(factory=list)
    looks: int = 0
    requests: int = 0


def send_again_where_no_history_tells(transaction: Transaction, contact: str, since: float, now: float) -> None:
    """The contact was merged: what was accepted under its former id, since that was surely valid, is sent again.

    Engage ignores ids it has. Where histories are shown they tell which are missing, and nothing is done here.
    """
    rows = transaction.execute(
        "SELECT seq FROM receipts r WHERE contact = ? AND state = 'delivered' AND route = 'api' AND verified_at IS NULL"
        " AND delivered_at >= ? AND EXISTS (SELECT 1 FROM verification WHERE history <> 'there')"
        " AND (SELECT count(*) FROM events e WHERE e.receipt = r.seq AND e.step = 'verify' AND e.what = 'accepted') < ?"
        " ORDER BY seq",
        (contact, max(since - _IMPORT, now - _REPAIRED), _SENT_AGAIN),
    ).fetchall()
    reason = "its contact was merged in Engage, perhaps before the import: sent again under the same id"
    _withdraw(transaction, [seq for (seq,) in rows], Move(state=State.ACCEPTED, due=now, reason=reason), now)


def _withdraw(transaction: Transaction, seqs: Sequence[int], move: Move, now: float) -> None:
    """Move delivered receipts as if they had not been delivered: they go by API or by file, whatever comes first."""
    apply_moves(transaction, seqs, move, now, "verify", VERIFICATIONS)
    transaction.executemany(
        "UPDATE receipts SET route = '', file = '', matched = '', delivered_at = NULL, crashes = 0, looks = 0"
        " WHERE seq = ?",
        ((seq,) for seq in seqs),
    )


class Verification(Table):
    """Which contacts' histories are due, the results, and what is known of the tenant's histories."""

    def due(self, now: float, limit: int) -> dict[str, int]:
        """The contacts of the receipts that are due longest, at most `limit` receipts, each with its first row."""
        rows = self._database.read(
            "SELECT contact, seq FROM receipts INDEXED BY receipts_verify"
            " WHERE verify_due IS NOT NULL AND verify_due <= ? AND contact IS NOT NULL"
            " ORDER BY verify_due, seq LIMIT ?",
            (now, limit),
        )
        found: dict[str, int] = {}
        for contact, seq in rows:
            found[contact] = min(int(seq), found.get(contact, int(seq)))
        return found

    def next_due(self) -> float | None:
        """When the next history is due; None when nothing waits."""
        ((due,),) = self._database.read(
            "SELECT min(verify_due) FROM receipts INDEXED BY receipts_verify WHERE verify_due IS NOT NULL"
        )
        return None if due is None else float(due)

    def of_contact(self, contact: str, first: int, limit: int) -> list[Entry]:
        """Receipts of the contact that wait, due or not, from this row on."""
        rows = self._database.read(
            f"SELECT * FROM (SELECT {COLUMNS} FROM receipts INDEXED BY receipts_contact"  # noqa: S608 - ours
            " WHERE contact = ? AND seq >= ? ORDER BY seq LIMIT ?) AS near WHERE verify_due IS NOT NULL LIMIT ?",
            (contact, first, _NEAR, limit),
        )
        return [decode(self._database, row) for row in rows]

    def settle(self, looked: Looked, now: float) -> None:
        """Store the results in one commit. Receipts that a replay has taken meanwhile stay as they are."""

        def work(transaction: Transaction) -> None:
            lags = self._set_verified(transaction, looked.shown, now)
            transaction.executemany(
                "UPDATE receipts SET verify_due = ?, looks = looks + ? WHERE seq = ? AND verify_due IS NOT NULL",
                [(due, int(in_vain), seq) for seq, due, in_vain in looked.later],
            )
            self._move(transaction, looked.moves, now)
            transaction.executemany(
                "UPDATE contacts SET confirmed_at = ? WHERE key = ?", [(now, key) for key in looked.confirmed]
            )
            lag = sum(lags) / len(lags) if lags else None
            transaction.execute(
                "UPDATE verification SET looks = looks + ?1, requests = requests + ?2,"
                " lag = coalesce(lag + (?3 - lag) * ?4, ?3, lag)",
                (looked.looks, looked.requests, lag, min(1.0, len(lags) / _LAG_OF)),
            )

        self._database.write(work)

    def _set_verified(self, transaction: Transaction, seqs: Sequence[int], now: float) -> list[float]:
        """Seconds from delivered to verified of each that was still waiting."""
        rows = transaction.execute(
            "UPDATE receipts NOT INDEXED SET verified_at = ?, verify_due = NULL"
            " WHERE seq IN (SELECT value FROM json_each(?)) AND verify_due IS NOT NULL RETURNING seq, delivered_at",
            (now, List(seqs)),
        ).fetchall()
        events.record_all(transaction, now, "verify", "verified", receipts=sorted(seq for seq, _ in rows))
        return [max(0.0, now - (at or now)) for _, at in rows]

    def _move(self, transaction: Transaction, moves: Sequence[tuple[Entry, Move]], now: float) -> None:
        """Not one that was delivered again since: that the history did not show it before says nothing of it now."""
        waiting = dict(
            transaction.execute(
                "SELECT seq, delivered_at FROM receipts NOT INDEXED WHERE seq IN (SELECT value FROM json_each(?))"
                " AND verify_due IS NOT NULL",
                (List(row.seq for row, _ in moves),),
            )
        )
        for row, move in moves:
            if row.seq in waiting and waiting[row.seq] == row.delivered_at:
                _withdraw(transaction, [row.seq], move, now)

    def sent_under_former_id(self, seq: int, contact: str) -> bool:
        """Whether the contactId of its contact was forgotten after the receipt was sent last."""
        rows = self._database.read(
            "SELECT 1 FROM events WHERE contact = ?2 AND what = 'id forgotten'"
            " AND seq > (SELECT max(seq) FROM events WHERE receipt = ?1 AND what = 'sending') LIMIT 1",
            (seq, contact),
        )
        return bool(rows)

    def times_sent_again(self, seq: int) -> int:
        """How often the verification has sent a receipt again."""
        rows = self._database.read(
            "SELECT count(*) FROM events WHERE receipt = ? AND step = 'verify' AND what = ?", (seq, State.ACCEPTED)
        )
        return int(rows[0][0])

    def shows_store(self, store: str) -> bool:
        """Whether one of the latest receipts of the store, by their day, is verified. Those of an outage all wait."""
        rows = self._database.read(
            "SELECT 1 FROM (SELECT verified_at FROM receipts INDEXED BY receipts_day WHERE store = ?"
            " ORDER BY business_date DESC LIMIT ?) AS latest WHERE verified_at IS NOT NULL LIMIT 1",
            (store, _OF_A_STORE),
        )
        return bool(rows)

    def give_up(self, before: float, limit: int, now: float) -> int:
        """No longer look for receipts delivered before then, at most `limit`; how many there were."""

        def work(transaction: Transaction) -> int:
            seqs = [
                seq
                for (seq,) in transaction.execute(
                    "UPDATE receipts NOT INDEXED SET verify_due = NULL WHERE seq IN (SELECT seq FROM receipts"
                    " INDEXED BY receipts_unverified WHERE verify_due IS NOT NULL AND delivered_at < ?"
                    " ORDER BY delivered_at LIMIT ?) RETURNING seq",
                    (before, limit),
                )
            ]
            events.record_all(transaction, now, "verify", "no longer looked for", receipts=sorted(seqs))
            return len(seqs)

        oldest = self._oldest()
        return 0 if oldest is None or oldest >= before else self._database.write(work)

    def _oldest(self) -> float | None:
        ((oldest,),) = self._database.read(
            "SELECT min(delivered_at) FROM receipts INDEXED BY receipts_unverified WHERE verify_due IS NOT NULL"
        )
        return None if oldest is None else float(oldest)

    def history(self) -> tuple[HistoryState, str, float]:
        """Whether the tenant shows histories, why not, and since when that is known (seconds since 1970)."""
        row = self._row()
        return HistoryState(row[0]), str(row[1]), float(row[2])

    def _row(self) -> tuple[Any, ...]:
        rows = self._database.read("SELECT history, reason, since, looks, requests, lag FROM verification")
        if not rows or not fits(rows[0]):
            raise self._database.damaged("table verification: its row is missing or makes no sense")
        return rows[0]

    def set_history(self, history: HistoryState, reason: str, now: float) -> None:
        """Record what the tenant has just shown of its histories; a change is an event."""

        def work(transaction: Transaction) -> None:
            (old,) = transaction.execute("SELECT history FROM verification").fetchone()
            transaction.execute("UPDATE verification SET history = ?, reason = ?, since = ?", (history, reason, now))
            if old != history:
                events.record(transaction, now, "verify", f"history {history}", reason=reason)

        self._database.write(work)

    def stand(self) -> VerificationStand:
        """How verification stands."""
        history, reason, since, looks, requests, lag = self._row()
        counted = {
            (state, route): int(count)
            for state, route, count in self._database.read(
                "SELECT state, route, count FROM counters WHERE state IN ('delivered', 'verified')"
            )
        }
        ((waiting,),) = self._database.read(
            "SELECT count(*) FROM receipts INDEXED BY receipts_unverified WHERE verify_due IS NOT NULL"
        )
        delivered = sum(count for (state, _), count in counted.items() if state == State.DELIVERED)
        verified = {route: max(0, counted.get(("verified", route), 0)) for route in ("api", "file")}
        return VerificationStand(
            history=HistoryState(history),
            reason=reason,
            since=since,
            verified=verified,
            waiting=int(waiting),
            oldest=self._oldest(),
            unverified=max(0, delivered - sum(verified.values()) - int(waiting)),
            lag=lag,
            looks=int(looks),
            requests=int(requests),
        )


def fits(row: tuple[object, ...]) -> bool:
    """Whether the columns of the row are of the types they must be: history, reason, since, looks, requests, lag."""
    numbers = (*row[2:5], row[5] or 0)
    return (
        row[0] in set(HistoryState)
        and isinstance(row[1], str)
        and all(isinstance(each, int | float) for each in numbers)
    )

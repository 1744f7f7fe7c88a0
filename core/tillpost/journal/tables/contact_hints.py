"""Contact hints: when the destination was asked which contacts are gone, and the marks its answer leaves."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost.journal.database import List, Table, Transaction
from tillpost.journal.tables import events
from tillpost.journal.tables.settings_seen import Seen

_NEWEST = 2000
"""Receipts of a contact, from the newest, among which those that wait are found: a house contact has millions."""


@attrs.frozen(kw_only=True)
class HintRounds:
    """Seconds since 1970, 0 for never.

    until: what happened before then is known. due: when it is asked next. absent: since when there is nobody to ask.
    """

    until: float = 0.0
    due: float = 0.0
    absent: float = 0.0


class ContactHints(Table):
    """The rounds stand among the settings seen, under names of their own."""

    def rounds(self) -> HintRounds:
        """How far it was asked."""
        rows = self._database.read("SELECT value, at FROM settings_seen WHERE what = ?", (str(Seen.GONE),))
        known = {field.name for field in attrs.fields(HintRounds)}
        return HintRounds(**{str(value): float(at) for value, at in rows if value in known})

    def set_rounds(self, rounds: HintRounds) -> None:
        """Store how far it was asked."""
        rows = [(str(Seen.GONE), name, at) for name, at in attrs.asdict(rounds).items()]

        def work(transaction: Transaction) -> None:
            transaction.executemany(
                "INSERT INTO settings_seen (what, value, at) VALUES (?, ?, ?)"
                " ON CONFLICT (what, value) DO UPDATE SET at = excluded.at",
                rows,
            )

        self._database.write(work)

    def mark(self, contact_ids: Iterable[str], reason: str, now: float) -> int:
        """Ask about the stored ones among these before their next use, and read their histories now; how many.

        One that is in doubt already stays as it is.
        """
        listed = List(contact_ids)
        rows = self._database.read(
            "SELECT key FROM contacts WHERE contact_id <> '' AND confirmed_at >= 0"
            " AND contact_id IN (SELECT value FROM json_each(?)) ORDER BY key",
            (listed,),
        )
        waiting = [(now, seq) for (key,) in rows for seq in self._waiting(str(key), now)]

        def work(transaction: Transaction) -> None:
            for (key,) in rows:
                transaction.execute("UPDATE contacts SET confirmed_at = -abs(confirmed_at) WHERE key = ?", (key,))
                events.record(transaction, now, "resolve", "id in doubt", contact=key, reason=reason)
            transaction.executemany(
                "UPDATE receipts SET verify_due = ? WHERE seq = ? AND verify_due IS NOT NULL", waiting
            )

        if rows:
            self._database.write(work)
        return len(rows)

    def _waiting(self, contact: str, now: float) -> list[int]:
        rows = self._database.read(
            "SELECT seq FROM (SELECT seq, verify_due FROM receipts INDEXED BY receipts_contact WHERE contact = ?"
            " ORDER BY seq DESC LIMIT ?) AS newest WHERE verify_due > ?",
            (contact, _NEWEST, now),
        )
        return [int(seq) for (seq,) in rows]

"""The settings that receipts and files depend on, as they were in use: a change of one is noticed by what it leaves."""

from __future__ import annotations

from enum import StrEnum

from tillpost.journal.database import Table, Transaction


class Seen(StrEnum):
    """What is remembered."""

    IDS = "ids"
    """A fingerprint of the settings that make the ids of receipts."""
    SOURCE = "source"
    """The folder the source reads."""
    GONE = "gone"
    """No setting: how far the destination was asked which contacts are gone (contact_hints.py)."""


class SettingsSeen(Table):
    """The table of settings that were in use."""

    def take_up(self, what: Seen, value: str, now: float) -> float | None:
        """Note that the setting has this value from now on; when it was changed last, None when it never was."""
        rows = self._database.read(
            "SELECT value, at FROM settings_seen WHERE what = ? ORDER BY at DESC, value", (str(what),)
        )
        if rows and rows[0][0] == value:
            return float(rows[0][1]) if len(rows) > 1 else None

        def work(transaction: Transaction) -> None:
            transaction.execute(
                "INSERT INTO settings_seen (what, value, at) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (what, value) DO UPDATE SET at = ?3",
                (str(what), value, now),
            )

        self._database.write(work)
        return now if rows else None

    def values(self, what: Seen) -> list[str]:
        """Every value it has had, the one of today first."""
        rows = self._database.read(
            "SELECT value FROM settings_seen WHERE what = ? ORDER BY at DESC, value", (str(what),)
        )
        return [str(value) for (value,) in rows]

"""The newest receipts and events."""

from __future__ import annotations

import json
from typing import Any

from tillpost.journal.database import Table
from tillpost.journal.tables.receipt_rows import COLUMNS, Entry, decode

_NAMES = ("seq", "at", "step", "what", "detail", "receipt", "contact")


class Newest(Table):
    """Reads the last rows of a table."""

    def receipts(self, limit: int) -> list[Entry]:
        """The receipts accepted last, at most so many, in order of acceptance."""
        rows = self._database.read(f"SELECT {COLUMNS} FROM receipts ORDER BY seq DESC LIMIT ?", (limit,))  # noqa: S608
        return [decode(self._database, row) for row in reversed(rows)]

    def events(self, limit: int) -> list[dict[str, Any]]:
        """The events that happened last, at most so many, oldest first; receipts by their id."""
        rows = self._database.read(
            "SELECT e.seq, e.at, e.step, e.what, e.detail, r.id, e.contact FROM events e"
            " LEFT JOIN receipts r ON r.seq = e.receipt ORDER BY e.seq DESC LIMIT ?",
            (limit,),
        )
        return [
            dict(zip(_NAMES, row, strict=True)) | {"detail": json.loads(row[4]) if row[4] else {}}
            for row in reversed(rows)
        ]

    def schema(self) -> int:
        """The version of the tables."""
        return self._database.schema()

"""Sizes of receipts and files in this journal, for estimates."""

from __future__ import annotations

import attrs

from tillpost.journal.database import Database

RECENT = 1000
"""The latest receipts and files, which are measured."""


@attrs.frozen
class Sizes:
    """receipts: how many the journal has. journal_bytes: of its file, without free pages.

    lines: of the latest receipts, on average; None without any. file_bytes, file_rows: of the latest receipts files
    of outages; contact_bytes, contact_rows: of the latest contacts files; 0 without any.
    """

    receipts: int
    journal_bytes: int
    lines: float | None
    file_bytes: int
    file_rows: int
    contact_bytes: int
    contact_rows: int


def measure(database: Database) -> Sizes:
    """Measure: the database, the counters and the latest rows."""
    receipts = (
        database.read(
            "SELECT sum(count) FROM counters WHERE state NOT IN ('skipped record', 'ignored record', 'verified')"
        )[0][0]
        or 0
    )
    lines = database.read(
        "SELECT avg(line_count) FROM (SELECT line_count FROM receipts ORDER BY seq DESC LIMIT ?) WHERE line_count > 0",
        (RECENT,),
    )[0][0]
    files = {
        kind: database.read(
            "SELECT coalesce(sum(size), 0), coalesce(sum(rows), 0) FROM"
            " (SELECT size, rows FROM files WHERE kind = ? ORDER BY sequence DESC LIMIT ?)",
            (kind, RECENT),
        )[0]
        for kind in ("receipts", "contacts")
    }
    return Sizes(int(receipts), database.used_bytes(), lines, *files["receipts"], *files["contacts"])

"""Damage to a journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def harm(folder: Path, sql: str, *values: object) -> None:
    """A row is changed behind the journal's back, as a bit that flips on the disk would."""
    raw = sqlite3.connect(folder / "journal.db")
    raw.execute(sql, values)
    raw.commit()
    raw.close()

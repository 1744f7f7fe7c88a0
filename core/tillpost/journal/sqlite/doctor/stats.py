"""Stats: the size, growth and settings of a journal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from tillpost.journal.sqlite.connection import connect
from tillpost.journal.sqlite.doctor.reading import journal_path, table_names
from tillpost.journal.sqlite.platform import protection
from tillpost.journal.sqlite.sqlite_errors import as_journal_error
from tillpost.journal.states import OPEN, State

_SETTINGS = ("journal_mode", "synchronous", "mmap_size", "journal_size_limit", "wal_autocheckpoint", "page_size")
_WEEK = 7 * 86400.0


def stats(folder: Path, now: float) -> dict[str, Any]:
    """Sizes in bytes, times in seconds since 1970. Growth is that of the last seven days, a day."""
    path = journal_path(folder)
    try:
        with closing(connect(path)) as connection:
            return _stats(connection, path, now)
    except apsw.Error as error:
        raise as_journal_error(error, path) from error


def _stats(connection: apsw.Connection, path: Path, now: float) -> dict[str, Any]:
    def one(sql: str, *values: Any) -> Any:
        return connection.execute(sql, values).get

    found = dict(connection.execute("SELECT state, count(*) FROM receipts GROUP BY state"))
    page, pages, free = (int(connection.pragma(name)) for name in ("page_size", "page_count", "freelist_count"))
    total = sum(found.values())
    week = one("SELECT count(*) FROM receipts WHERE accepted_at > ?", now - _WEEK)
    first = one("SELECT min(accepted_at) FROM receipts WHERE accepted_at > ?", now - _WEEK) or now
    days = max(1.0, min(7.0, (now - first) / 86400))
    wal = path.with_name(f"{path.name}-wal")
    listed = ", ".join(f"'{state}'" for state in OPEN)
    return {
        "file": str(path),
        "bytes": {
            "journal": path.stat().st_size,
            "wal": wal.stat().st_size if wal.exists() else 0,
            "free_pages": free * page,
            "a_receipt": (pages - free) * page // total if total else 0,
        },
        "rows": {name: one(f'SELECT count(*) FROM "{name}"') for name in table_names(connection)},  # noqa: S608 - from the schema
        "receipts": {str(state): 0 for state in State} | found,  # an older journal has states of other names
        "oldest_open": one(f"SELECT min(accepted_at) FROM receipts WHERE state IN ({listed})"),  # noqa: S608 - ours
        "growth_a_day": {
            "receipts": round(week / days, 1),
            "bytes": round(week / days * ((pages - free) * page / total)) if total else 0,
        },
        "schema": int(connection.pragma("user_version")),
        "sqlite": apsw.sqlite_lib_version(),
        "protection": protection(apsw.sqlite_lib_version()),
        "settings": {name: connection.pragma(name) for name in _SETTINGS},
    }

"""Journals of earlier schemas, with what a journal of today has, and their rows in the words of today."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from tillpost.journal.sqlite.schema import RENAMING, VERIFYING, upgrade

_COUNTED = ("counters", "contact_counters")
OLD_TABLES = {
    "destination": "tenant", "counters": "tally", "contact_counters": "contact_tally", "idempotency_keys": "answers",
}  # fmt: skip
OLD_COLUMNS = {
    "files_due": "spool_due", "in_files": "spooled", "not_written": "left_out", "unsaved": "dropped",
    "created_by": "made", "unverified": "answered",
}  # fmt: skip
OLD_WORDS = {
    "written": "spooled", "write": "spool", "fallback": "file mode", "catching up": "draining",
    "confirming": "reconciling", "destination": "tenant",
}  # fmt: skip
WORDED = {
    "receipts": ["state"], "replayed": ["was"], "destination": ["state"],
    "events": ["what", "step"],
}  # fmt: skip
"""The columns that hold one of those words."""

Columns = dict[str, list[str]]
"""Tables and their columns, by their names of today."""


def old_name(schema: int, names: dict[str, str], name: str) -> str:
    return names.get(name, name) if schema < RENAMING else name


def tables(connection: apsw.Connection) -> Columns:
    listed = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    table_today = {old: new for new, old in OLD_TABLES.items()}
    column_today = {old: new for new, old in OLD_COLUMNS.items()}
    found: Columns = {}
    for (name,) in list(connection.execute(listed)):
        columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")]
        found[table_today.get(name, name)] = [column_today.get(column, column) for column in columns]
    return found


def content(path: Path, columns: Columns) -> dict[str, set[tuple[Any, ...]]]:
    """Every row in the words of today."""
    today = {old: new for new, old in OLD_WORDS.items()}
    found = {}
    with closing(apsw.Connection(str(path))) as connection:
        schema = int(connection.pragma("user_version"))
        for table, names in columns.items():
            asked = ", ".join(old_name(schema, OLD_COLUMNS, name) for name in names)
            rows = connection.execute(f"SELECT {asked} FROM {old_name(schema, OLD_TABLES, table)}")
            found[table] = {tuple(today.get(each, each) for each in row) if schema < RENAMING else row for row in rows}
    found.pop("counters", None)  # grouped otherwise than before; `verify` checks them
    return found


def of_schema(schema: int, journal: Path, old: Path) -> Columns:
    """A journal of that schema, made by its own scripts, with what the other one has; its tables and columns."""
    with closing(apsw.Connection(str(old))) as connection:
        upgrade(connection, to=schema)
        columns = tables(connection)
        connection.execute("ATTACH ? AS now", (str(journal),))
        for table in [
            *(each for each in columns if each not in _COUNTED),
            *(each for each in _COUNTED if each in columns),
        ]:  # triggers fill those
            name = old_name(schema, OLD_TABLES, table)
            there = ", ".join(old_name(schema, OLD_COLUMNS, column) for column in columns[table])
            connection.execute(f"DELETE FROM main.{name}")
            if name == "tally":
                word = "CASE state WHEN 'skipped record' THEN 'no receipt' WHEN 'ignored record' THEN 'no receipt'"
                word += " WHEN 'written' THEN 'spooled' ELSE state END"
                connection.execute(
                    f"INSERT INTO tally SELECT {word}, route, reason, sum(count) FROM now.counters"
                    " WHERE state <> 'verified' GROUP BY 1, 2, 3"
                )
                continue
            kept = " WHERE state <> 'verified'" if table == "counters" and schema < VERIFYING else ""
            connection.execute(
                f"INSERT INTO main.{name} ({there}) SELECT {', '.join(columns[table])} FROM now.{table}{kept}"
            )
            for column in WORDED.get(table, []) if schema < RENAMING else []:
                for word, before in OLD_WORDS.items():
                    connection.execute(f"UPDATE {name} SET {column} = ? WHERE {column} = ?", (before, word))
        connection.execute("DETACH now")
        connection.pragma("journal_mode", "wal")
        assert connection.pragma("user_version") == schema
        return columns

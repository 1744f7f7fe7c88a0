"""Export: everything that can be read of a journal as JSON lines, with personal data, for a rescue by other tools."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from tillpost.journal.sqlite.doctor.damage import Progress
from tillpost.journal.sqlite.doctor.reading import reading, table_names


def export(folder: Path, progress: Progress = lambda text: None) -> Iterator[dict[str, Any]]:
    """One dict for each row, with `table` first; referenced tables come first, and damages last."""
    with reading(folder, progress) as read:
        yield {"table": "journal", "schema": read.schema, "whole": not read.pages}
        for table in table_names(read.connection):
            progress(f"exporting {table}")
            cursor = read.connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - from the schema
            names: list[str] = []
            for row in cursor:
                names = names or [column[0] for column in cursor.get_description()]
                yield {"table": table} | {name: _plain(value) for name, value in zip(names, row, strict=True)}
        for damage in read.damages:
            yield {"table": "damage", **attrs.asdict(damage, filter=lambda field, _: field.name != "fix")} | {
                "where": damage.table,
                "raw": _plain(damage.raw),
                "table": "damage",
            }


def _plain(value: Any) -> Any:
    """Bytes as text when they are UTF-8, as most bodies and records are; else in base64."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}

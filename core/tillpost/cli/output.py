"""How answers of the commands are printed: a receipt as JSON, and tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import click

from tillpost.journal import OPEN, Entry
from tillpost.journal.states import confirmation
from tillpost.terminal import amount, plain, say, when

json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for scripts.")
_BLOCK = 1000
"""Lines of a table that are measured and printed together."""
_FIGURES = frozenset(("amount", "bytes", "chosen", "missing", "put_back", "receipts", "rows", "tax", "total", "lines"))
"""Columns of numbers: aligned to the right."""


def receipt_row(entry: Entry) -> dict[str, Any]:
    """A receipt in JSON, without personal data."""
    return {
        "id": entry.id,
        "number": entry.number,
        "store": entry.store,
        "till": entry.till,
        "till_time": entry.created,
        "total": amount(entry.total, entry.currency),
        "currency": entry.currency,
        "state": str(entry.state),
        "route": entry.route,
        "confirmed": confirmation(entry.state, entry.route, entry.verified_at),
        "attempts": entry.attempts,
        "next_attempt_at": when(entry.due) if entry.state in OPEN and entry.due else None,
        "accepted_at": when(entry.accepted_at),
        "delivered_at": when(entry.delivered_at),
        "verified_at": when(entry.verified_at),
        "next_look_at": when(entry.verify_due),
        "file": entry.file,
        "document": entry.document,
        "place": entry.place,
        "reason": entry.reason,
    }


def print_table(rows: Iterable[dict[str, Any]], columns: list[str]) -> None:
    """Print columns under their names."""
    for line in table_lines(rows, columns):
        click.echo(line)


def table_lines(
    rows: Iterable[dict[str, Any]], columns: list[str], figures: Collection[str] = _FIGURES
) -> Iterator[str]:
    """Columns under their names, as wide as needed; of very many rows as wide as those so far."""
    cells = ([_cell(row.get(name)) for name in columns] for row in rows)
    widths = [0] * len(columns)
    lines = [columns]
    while lines:
        lines += islice(cells, _BLOCK)
        widths = [max(widths[index], *(len(line[index]) for line in lines)) for index in range(len(columns))]
        for line in lines:
            aligned = (
                cell.rjust(width) if name in figures else cell.ljust(width)
                for cell, width, name in zip(line, widths, columns, strict=True)
            )
            yield "  ".join(aligned).rstrip()
        lines = list(islice(cells, 1))


def print_rows(rows: Iterable[dict[str, Any]], columns: list[str], as_json: bool) -> None:
    """Print all of each row as one JSON object a line, or the columns as a table."""
    if not as_json:
        print_table(rows, columns)
        return
    for row in rows:
        say(row)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return plain(" ".join(map(str, value)))
    return "" if value is None else plain(value)

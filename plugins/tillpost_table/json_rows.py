"""Rows of a JSON document, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tillpost import InvalidValue
from tillpost.kit import JsonRecord, json_records, parse_json, unpacked
from tillpost.model import Document
from tillpost_table.rows import Row
from tillpost_table.settings import Settings


def json_rows(document: Document, settings: Settings) -> Iterator[Row]:
    """A row a record of JSON lines (or of an array), or one a line by `lines`; nested members are columns "a.b"."""
    for record in json_records(unpacked(document), largest=settings.largest):
        yield from _flat(record, settings)


def _flat(record: JsonRecord, settings: Settings) -> Iterator[Row]:
    """The rows of a record; the first has the record's bytes."""
    try:
        form = parse_json(record.content, place=record.place)
        if not isinstance(form, dict):
            raise InvalidValue("is not an object", place=record.place)
        lines = form.pop(settings.lines, None) if settings.lines else None
        cells = dict(_cells(form, "", settings))
        if not settings.lines:
            yield Row(cells, record.place, record.content + b"\n")
            return
        if not isinstance(lines, list):
            raise InvalidValue(f"the list {settings.lines!r} is missing; set `lines` to its name", place=record.place)
        rows = [cells | dict(_cells({settings.lines: line}, "", settings)) for line in lines] or [cells]
    except InvalidValue as error:
        yield Row({}, record.place, record.content + b"\n", str(error))
        return
    except RecursionError:
        yield Row({}, record.place, record.content + b"\n", "nested too deep")
        return
    for number, row in enumerate(rows):
        yield Row(row, record.place, b"" if number else record.content + b"\n")


def _cells(value: Any, path: str, settings: Settings) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _cells(item, f"{path}.{name}" if path else name, settings)
    elif isinstance(value, bool):
        yield path, str(value).lower()
    elif isinstance(value, Decimal):
        yield path, format(value, "f").replace(".", settings.decimal)
    elif isinstance(value, int):
        # Python writes no integer of more than 4300 digits; nor does a till.
        yield path, str(value) if abs(value) < 10**30 else "1e30"
    elif isinstance(value, str):
        yield path, value

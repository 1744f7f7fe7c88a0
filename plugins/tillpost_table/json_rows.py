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
    """A row a record of JSON lines, of an array or of the list `records`, or one a line by `lines` and `payments`.

    Nested members are columns "a.b".
    """
    lists = (settings.records,) if settings.records else ()
    for record in json_records(unpacked(document), largest=settings.largest, lists=lists):
        yield from _flat(record, settings)


def _flat(record: JsonRecord, settings: Settings) -> Iterator[Row]:
    """The rows of a record; the first has the record's bytes."""
    try:
        form = parse_json(record.content, place=record.place)
        if not isinstance(form, dict):
            raise InvalidValue("is not an object", place=record.place)
        inside = {path: _taken(form, path, record.place) for path in (settings.lines, settings.payments) if path}
        cells = dict(_cells(form, "", settings))
        rows = [cells | dict(_cells(item, path, settings)) for path, items in inside.items() for item in items] or [
            cells
        ]
        if not any(settings.named.keys() & row.keys() for row in rows):
            raise InvalidValue(f"has no column of the mapping; it has {_members(form)}", place=record.place)
    except InvalidValue as error:
        yield Row({}, record.place, record.content + b"\n", str(error))
        return
    except RecursionError:
        yield Row({}, record.place, record.content + b"\n", "nested too deep")
        return
    for number, row in enumerate(rows):
        yield Row(row, record.place, b"" if number else record.content + b"\n")


def _taken(form: dict[str, Any], path: str, place: str) -> list[Any]:
    """The list at this path, taken out of the record. Raises InvalidValue where there is none."""
    *outer, name = path.split(".")
    inside: Any = form
    for step in outer:
        inside = inside.get(step) if isinstance(inside, dict) else None
    items = inside.pop(name, None) if isinstance(inside, dict) else None
    if not isinstance(items, list):
        raise InvalidValue(f'the list "{path}" is missing; it has {_members(form)}', place=place)
    return items


def _members(form: dict[str, Any]) -> str:
    """The names of a record's members, its lists with the settings that read them: for messages, without values."""
    shown = ", ".join(ascii(name)[1:-1][:40] for name in list(form)[:20]) or "no members"
    lists = [ascii(name)[1:-1][:40] for name, value in form.items() if isinstance(value, list)]
    hint = "; set `records` where a list has the receipts, `lines` or `payments` where it has those"
    return f"{shown} ({', '.join(lists)}: lists{hint})" if lists else shown


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

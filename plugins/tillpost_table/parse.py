"""From a table to receipts, a group of rows at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import attrs

from tillpost.kit import CONTROL_CHARACTERS, MakeId, clean, read_record, voided_id
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_table.cells import Cells
from tillpost_table.csv_rows import CsvRows
from tillpost_table.footers import Footers
from tillpost_table.groups import Group, groups
from tillpost_table.json_rows import json_rows
from tillpost_table.receipt import own_id, read_receipt
from tillpost_table.rows import Row
from tillpost_table.settings import Settings

_VOID = re.compile(r"\b(void|cancel|annul|makul|storn)", re.IGNORECASE)
"""In the reason of a skipped receipt: its sale was taken back."""


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every receipt as Found, NoReceipt or Broken, one at a time, with the lines of its rows.

    Raises DocumentError when the header lacks a column of the mapping, and when no row can be read.
    """
    table = CsvRows(document, settings)
    read = table if settings.format == "csv" else json_rows(document, settings)
    rows = _marked(read, settings)
    cells = Cells(settings)
    whole = bool(settings.lines or settings.payments)
    for item in groups(rows, settings.key, document.name, whole=whole, fill_down=settings.fill_down):
        if isinstance(item, Row):
            yield NoReceipt(reason="sums of the table", place=item.place, retail=False)
        else:
            yield _parse_group(item, table.head, document, cells, make_id)


def _marked(rows: Iterable[Row], settings: Settings) -> Iterator[Row]:
    """The rows, marked where they are no part of a receipt."""
    footers, ignores = Footers.of(settings), bool(settings.ignore_rows)
    first_time = footers.times[0] if footers.times else ""
    for row in rows:
        if row.fault and not row.is_short:
            yield row
        elif ignores and _is_ignored(row, settings):
            yield attrs.evolve(row, ignored=True, fault="")
        elif first_time and not (row.cells.get(first_time) or "x")[0].isdecimal() and footers.has(row):
            yield attrs.evolve(row, is_footer=True, fault="")
        else:
            yield row


def _is_ignored(row: Row, settings: Settings) -> bool:
    return any(row.cells.get(column, "").strip() in values for column, values in settings.ignore_rows.items())


def _parse_group(group: Group, head: bytes, document: Document, cells: Cells, make_id: MakeId) -> Parsed:
    raw = head + b"".join(row.raw for row in group.rows)
    readable = next((row for row in group.rows if not row.fault), group.rows[0])
    number, store = (str(clean(cells.text(readable, field))[0]) for field in ("number", "store"))
    fault = next((f"{row.place}: {row.fault}" for row in group.rows if row.fault), "")
    if fault:
        return Broken(reason=fault, place=group.place, raw=raw, number=number, store=store)
    rows, removed = _cleaned([row for row in group.rows if not row.ignored])

    def read(source: RawRef) -> Receipt | NoReceipt:
        reason = _skip_reason(group, cells.settings)
        receipt = None if reason else read_receipt(rows, source, cells, make_id)
        if receipt is None or not receipt.lines:
            voids = voided_id(lambda: own_id(rows, cells, make_id)) if _VOID.search(reason) else ""
            return NoReceipt(reason=reason or "no lines", place=group.place, retail=True, number=number, voids=voids)
        return receipt

    flags = (CONTROL_CHARACTERS,) if removed else ()
    return read_record(read, document, group.place, raw, number=number, store=store, flags=flags)


def _skip_reason(group: Group, settings: Settings) -> str:
    """Why a receipt is skipped, by the value of a column in any of its rows; "" when it is a sale."""
    for column, reasons in settings.skip.items():
        for row in group.rows:
            if reason := reasons.get(row.cells.get(column, "").strip()):
                return reason
    return ""


def _cleaned(rows: list[Row]) -> tuple[list[Row], int]:
    """The rows without characters that no file can carry, and how many there were. Names of columns stay."""
    removed = sum(clean("".join(row.cells.values()))[1] for row in rows)
    return ([attrs.evolve(row, cells=_clean_cells(row)) for row in rows] if removed else rows), removed


def _clean_cells(row: Row) -> dict[str, str]:
    return {name: clean(cell)[0] for name, cell in row.cells.items()}

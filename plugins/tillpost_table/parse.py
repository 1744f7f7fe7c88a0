"""From a table to receipts, a group of rows at a time. Pure: what it needs is in its arguments."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tillpost import InvalidValue
from tillpost.kit import CONTROL_CHARACTERS, MakeId, clean
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed, RawRef
from tillpost_table.cells import Cells
from tillpost_table.groups import Group, groups
from tillpost_table.receipt import read_receipt
from tillpost_table.rows import CsvRows, JsonRows, Row
from tillpost_table.settings import Settings


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every receipt as Found, NoReceipt or Broken, with the lines it stands on.

    Raises DocumentError when the header lacks a column of the mapping, and for what no row can be read from.
    """
    table = CsvRows(document, settings) if settings.format == "csv" else JsonRows(document, settings)
    rows = (attrs.evolve(row, left_out=True) if not row.fault and _left_out(row, settings) else row for row in table)
    cells = Cells(settings)
    for group in groups(rows, settings.key, document.name, whole=bool(settings.lines)):
        yield _parsed(group, table.head, document, cells, make_id)


def _left_out(row: Row, settings: Settings) -> bool:
    return any(row.cells.get(column, "").strip() in values for column, values in settings.skip_rows.items())


def _parsed(group: Group, head: bytes, document: Document, cells: Cells, make_id: MakeId) -> Parsed:
    raw = head + b"".join(row.raw for row in group.rows)
    shown = next((row for row in group.rows if not row.fault), group.rows[0])
    number, store = (str(clean(cells.text(shown, field))[0]) for field in ("number", "store"))
    reason = next((f"{row.place}: {row.fault}" for row in group.rows if row.fault), "")
    if not reason:
        for column, reasons in cells.settings.skip.items():
            for row in group.rows:
                if why := reasons.get(row.cells.get(column, "").strip()):
                    return NoReceipt(reason=why, place=group.place, retail=True, number=number)
        try:
            source = RawRef(sha256=document.sha256, document=document.name, place=group.place)
            rows, taken = _cleaned([row for row in group.rows if not row.left_out])
            receipt = read_receipt(rows, source, cells, make_id)
            if not receipt.lines:
                return NoReceipt(reason="no lines", place=group.place, retail=True, number=number)
            if taken:
                receipt = attrs.evolve(receipt, flags=(*receipt.flags, CONTROL_CHARACTERS))
            return Found(receipt=receipt, raw=raw)
        except InvalidValue as error:
            reason = str(error) if error.place.startswith(f"{group.place},") else f"{group.place}: {error}"
        except ArithmeticError:  # numbers each in bounds whose product is not
            reason = f"{group.place}: amounts cannot be reckoned with (more digits than decimals hold)"
    return Broken(reason=reason, place=group.place, raw=raw, number=number, store=store)


def _cleaned(rows: list[Row]) -> tuple[list[Row], int]:
    """The rows with their characters cleaned, and how many there were."""
    taken = sum(clean("".join(row.cells.values()))[1] for row in rows)
    return ([attrs.evolve(row, cells=clean(row.cells)[0]) for row in rows] if taken else rows), taken

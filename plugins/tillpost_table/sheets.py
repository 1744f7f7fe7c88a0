"""What a spreadsheet wrote: a workbook or a gzip file, opened as the CSV it stands for."""

from __future__ import annotations

import csv
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any

from tillpost import DocumentError
from tillpost.kit import unpacked
from tillpost.model import Document
from tillpost_table.settings import Settings

TITLES = 50
"""Rows among which the header is looked for."""
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CELL = re.compile(rb"""\sr=["']([A-Z]{0,3})([0-9]{1,7})["']""")
_DAMAGE = (NotImplementedError, RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError)
"""What zipfile raises beside its own for bytes that were changed, or a password that is asked for."""
_MOST_CELLS = 20_000_000
"""The reader holds a sheet as a rectangle: two cells far apart must not fill the memory."""


def opened(document: Document, settings: Settings) -> IO[bytes]:
    """The document's CSV: as it is, unpacked, or the sheet of an xlsx workbook written as CSV.

    Rows of a sheet are the lines of the same numbers. Raises DocumentError for a workbook that cannot be read.
    """
    document = unpacked(document)
    file = document.open()
    start = file.read(len(_OLE))
    file.seek(0)
    if not start.startswith((_ZIP, _OLE)):
        return file
    with file:
        if start == _OLE:
            raise DocumentError("is an .xls or encrypted workbook; save it as .xlsx or CSV", document.name)
        return _as_csv(file.read(settings.largest + 1), document.name, settings)


def _as_csv(content: bytes, name: str, settings: Settings) -> IO[bytes]:
    _check_size(content, name, settings.largest)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=settings.delimiter, lineterminator="\n", quotechar=settings.quote or '"')
    unquoted = "" if settings.quote else f'\r\n"{settings.delimiter}'
    for row in _sheet(content, name, settings):
        writer.writerow([_text(cell, settings.decimal, unquoted) for cell in row])
    # The mark makes a record's bytes a document of its own, whatever `encoding` is.
    return io.BytesIO(b"\xef\xbb\xbf" + text.getvalue().encode())


def _check_size(content: bytes, name: str, largest: int) -> None:
    """Raises DocumentError for a workbook that would not fit into the memory, or has no sheet."""
    too_large = DocumentError(f"is a workbook of more than {largest} bytes; export CSV, or raise `largest`", name)
    if len(content) > largest:
        raise too_large
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > largest:
                raise too_large
            # Read to its end, each part is as large as it says.
            if damaged := archive.testzip():
                raise DocumentError(f"is a workbook whose part {damaged!a} is damaged", name)
            parts = [part for part in archive.namelist() if part.startswith("xl/worksheets/") and part.endswith(".xml")]
            cells = max((_rectangle(archive.read(part)) for part in parts), default=0)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, *_DAMAGE):
        raise DocumentError("is a zip file or workbook that is cut, damaged or encrypted", name) from None
    if not parts:
        raise DocumentError("is a zip file without an .xlsx workbook in it; unpack it, or export CSV", name)
    if cells > _MOST_CELLS:
        raise DocumentError(f"is a workbook with a sheet of {cells} cells, most of them empty; export CSV", name)


def _rectangle(sheet: bytes) -> int:
    """Rows times columns of a sheet's XML."""
    columns = rows = 1
    for letters, row in _CELL.findall(sheet):
        rows = max(rows, int(row))
        column = 0
        for letter in letters:
            column = column * 26 + letter - 64
        columns = max(columns, column)
    return rows * columns


def _sheet(content: bytes, name: str, settings: Settings) -> Iterable[list[Any]]:
    """The rows of the sheet that is meant. Raises DocumentError when that is none or several."""
    try:
        import python_calamine
    except ImportError:
        fault = "is a workbook, and python-calamine, which reads it, is not installed"
        raise DocumentError(f"{fault}: pip install 'tillpost[xlsx]', or export CSV", name) from None
    try:
        with python_calamine.load_workbook(io.BytesIO(content)) as book:
            titles = [
                sheet.name for sheet in book.sheets_metadata if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
            ]
            sheets = {title: list(book.get_sheet_by_name(title).iter_rows()) for title in titles}
    except Exception:  # noqa: BLE001 - of its own, and those of the Rust it is written in
        raise DocumentError("is no workbook that can be read; save it again as .xlsx, or export CSV", name) from None
    shown = ", ".join(f'"{title}"' for title in sheets)
    if settings.sheet:
        if settings.sheet not in sheets:
            raise DocumentError(f'has no sheet "{settings.sheet}"; its sheets are {shown}', name)
        return sheets[settings.sheet]
    fitting = [rows for rows in sheets.values() if _fits(rows, settings)] or [rows for rows in sheets.values() if rows]
    if len(fitting) > 1:
        raise DocumentError(f"has several sheets that may be the one: {shown}; set `sheet`", name)
    return fitting[0] if fitting else []


def _fits(rows: list[list[Any]], settings: Settings) -> bool:
    needed = settings.named.keys()
    return settings.header and any(needed <= {str(cell).strip() for cell in row} for row in rows[:TITLES])


def _text(cell: Any, decimal: str, without: str) -> str:
    """A cell as text: numbers with the file's mark and the 15 digits a spreadsheet has, times in ISO 8601."""
    match cell:
        case bool():
            return str(cell).lower()
        case float():
            if cell.is_integer() and abs(cell) < 1e15:
                return str(int(cell))
            text = f"{cell:.15g}"
            text = format(Decimal(text), "f") if "e-" in text else text
            return text.replace(".", decimal)
        case datetime():
            return (cell + timedelta(microseconds=500_000)).replace(microsecond=0).isoformat(" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
    return "".join(" " if char in without else char for char in str(cell)) if without else str(cell)

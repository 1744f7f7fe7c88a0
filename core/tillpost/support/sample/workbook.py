"""A workbook of the same cells: texts, numbers, times and truths, without its author, comments or formulas."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tillpost.errors import UsageError
from tillpost.support.sample.csv_text import header_of
from tillpost.support.sample.json_text import Rewrite

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_SEARCHED = 50


def rewrite_workbook(content: bytes, rewrite: Rewrite, headers: Collection[str]) -> bytes:
    """The workbook with its cells rewritten, each at its column's name. Raises UsageError without python-calamine."""
    try:
        import python_calamine
    except ImportError:
        raise UsageError("a workbook needs python-calamine; run pip install 'tillpost[xlsx]'") from None
    with python_calamine.load_workbook(io.BytesIO(content)) as book:
        sheets = [
            (rewrite(("(sheet)",), name), book.get_sheet_by_name(name).to_python(skip_empty_area=False))
            for name in book.sheet_names
        ]
    return _workbook([(name, _rewritten(rows, rewrite, headers)) for name, rows in sheets])


def _rewritten(rows: list[list[Any]], rewrite: Rewrite, headers: Collection[str]) -> list[list[Any]]:
    header, is_known = header_of([[str(cell) for cell in row] for row in rows[:_SEARCHED]], headers)
    names = [str(cell) for cell in rows[header]] if header is not None else []
    out = []
    for number, row in enumerate(rows):
        title = "(header)" if number == header and is_known else "(title)"
        above = header is not None and number <= header
        out.append(
            [
                _cell(cell, title if above else names[at] if at < len(names) and names[at] else str(at + 1), rewrite)
                for at, cell in enumerate(row)
            ]
        )
    return out


def _cell(cell: Any, name: str, rewrite: Rewrite) -> Any:
    """A number stays one; what is a time or a truth stays as it is, but for a person's."""
    if isinstance(cell, str):
        return rewrite((name,), cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float | date | datetime):
        return cell
    written = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    made = rewrite((name,), written)
    if made == written:
        return cell
    if isinstance(cell, datetime):
        return datetime.fromisoformat(made)
    if isinstance(cell, date):
        return date.fromisoformat(made)
    return float(made)


def _workbook(sheets: list[tuple[str, list[list[Any]]]]) -> bytes:
    numbers = range(1, len(sheets) + 1)
    overrides = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        f'spreadsheetml.{kind}+xml"/>'
        for part, kind in [("workbook", "sheet.main"), ("styles", "styles")]
        + [(f"worksheets/sheet{number}", "worksheet") for number in numbers]
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType="application/vnd.'
        f'openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f"{overrides}</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r1" Type="{_REL}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>'
        + "".join(
            f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="s{number}"/>'
            for number, (name, _) in zip(numbers, sheets, strict=True)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">'
        + "".join(
            f'<Relationship Id="s{number}" Type="{_REL}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in numbers
        )
        + f'<Relationship Id="st" Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3">'
        '<xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/><xf numFmtId="14" applyNumberFormat="1"/>'
        "</cellXfs></styleSheet>",
    }
    for number, (_, rows) in zip(numbers, sheets, strict=True):
        written = "".join(f'<row r="{at}">{_row(at, row)}</row>' for at, row in enumerate(rows, 1))
        part = f'<worksheet xmlns="{_MAIN}"><sheetData>{written}</sheetData></worksheet>'
        parts[f"xl/worksheets/sheet{number}.xml"] = f'<?xml version="1.0" encoding="UTF-8"?>{part}'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _row(number: int, cells: list[Any]) -> str:
    return "".join(_written(f"{_column(at)}{number}", cell) for at, cell in enumerate(cells) if cell not in (None, ""))


def _column(at: int) -> str:
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _written(place: str, cell: Any) -> str:
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    if isinstance(cell, datetime):
        serial = (cell - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001 - as the sheet shows it
        return f'<c r="{place}" s="1"><v>{serial!r}</v></c>'
    if isinstance(cell, date):
        return f'<c r="{place}" s="2"><v>{(cell - date(1899, 12, 30)).days}</v></c>'
    if isinstance(cell, clock_time):
        seconds = timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second) / timedelta(days=1)
        return f'<c r="{place}" s="1"><v>{seconds!r}</v></c>'
    if isinstance(cell, timedelta):
        return f'<c r="{place}"><v>{cell / timedelta(days=1)!r}</v></c>'
    return f'<c r="{place}"><v>{int(cell) if float(cell).is_integer() else cell!r}</v></c>'

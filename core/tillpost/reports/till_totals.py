"""Totals of tills for their day, out of a CSV file: one figure a row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from tillpost.errors import InvalidValue, UsageError
from tillpost.journal import TillTotal
from tillpost.model.money import parse_decimal

NEEDED = ("date", "store", "currency", "total")
OPTIONAL = ("till", "count", "tender", "tax", "number")
"""A row has one of the last three at most: it is the day's total, that of a tender or tax rate, or one receipt."""
_KINDS = {"tender": "tender", "tax": "tax", "number": "receipt"}


def read(path: Path) -> list[TillTotal]:
    """Every figure of the file. Raises UsageError with file, line and column of a value that cannot be used.

    Separated by commas or semicolons, with a header; amounts with a point, or behind semicolons with a comma.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the text is not UTF-8; save it as CSV UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return list(_rows(path, text))


def _rows(path: Path, text: str) -> Iterator[TillTotal]:
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    names = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    if missing := [name for name in NEEDED if name not in names]:
        raise UsageError(
            f"{path}:1: the header lacks {', '.join(missing)}; columns are {', '.join((*NEEDED, *OPTIONAL))}"
        )
    if unknown := [name for name in names if name not in (*NEEDED, *OPTIONAL)]:
        raise UsageError(f"{path}:1: unknown column {unknown[0]!r}; known are {', '.join((*NEEDED, *OPTIONAL))}")
    rows.fieldnames = names
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        line = rows.line_num
        if None in row:
            raise UsageError(f"{path}:{line}: the row has more fields than the header has columns")
        figure = _figure(f"{path}:{line}", {name: (value or "").strip() for name, value in row.items()}, path.name)
        key = (figure.store, figure.business_date, figure.till, figure.currency, figure.kind, figure.name)
        if key in seen:
            raise UsageError(f"{path}:{line}: repeats line {seen[key]}; keep one of the two")
        seen[key] = line
        yield figure


def _figure(place: str, row: dict[str, str], source: str) -> TillTotal:
    named = [name for name in _KINDS if row.get(name)]
    if len(named) > 1:
        raise UsageError(f"{place}: the row has {' and '.join(named)}; fill one of them only")
    try:
        day = date.fromisoformat(row["date"]).isoformat()
    except ValueError:
        raise UsageError(f"{place}: date: {row['date']!r} is not a date such as 2026-11-23") from None
    if not row["store"]:
        raise UsageError(f"{place}: store is empty")
    if not re.fullmatch(r"[A-Z]{3}", row["currency"]):
        raise UsageError(f"{place}: currency: {row['currency']!r} is not an ISO 4217 code such as SEK")
    count = row.get("count", "")
    if count and not re.fullmatch(r"[0-9]{1,9}", count):
        raise UsageError(f"{place}: count: {count!r} is not a number of receipts")
    name = row[named[0]] if named else ""
    if named == ["tax"]:
        name = rate(_amount(f"{place}: tax", name.rstrip("% ")))
    return TillTotal(
        store=row["store"],
        business_date=day,
        till=row.get("till", ""),
        currency=row["currency"],
        kind=_KINDS[named[0]] if named else "total",
        name=name,
        count=int(count) if count else None,
        total=_amount(f"{place}: total", row["total"]),
        source=source,
    )


def _amount(place: str, text: str) -> Decimal:
    if "," in text and "." not in text:
        text = text.replace(",", ".")
    try:
        return parse_decimal(text, place)
    except InvalidValue as error:
        raise UsageError(f"{error}; write it as 1234.50") from None


def rate(percent: Decimal) -> str:
    """A tax rate as a name: 25.00 and 25 are one."""
    return f"{percent.normalize():f}"

"""Rows of a document, one at a time, each with its bytes."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches
from typing import IO, Any

import attrs

from tillpost import DocumentError, InvalidValue
from tillpost.kit import JsonRecord, json_records, parse_json
from tillpost.model import Document
from tillpost_table.settings import Settings

_LONGEST = 1024 * 1024
_UNDECODED = re.compile("[\udc80-\udcff]")
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@attrs.frozen
class Row:
    """One row: column → text, where it stands, and its bytes.

    fault: why it cannot be read, "" when it can. ignored: by `ignore_rows`; only its bytes are kept.
    """

    cells: dict[str, str] = attrs.field(repr=False)
    place: str
    raw: bytes = attrs.field(repr=False)
    fault: str = ""
    ignored: bool = False


# --- CSV -----------------------------------------------------------------------------------------------------------


class _Lines:
    """The lines of a file for the csv reader; `taken` collects those of the current row."""

    def __init__(self, file: IO[str], name: str) -> None:
        self.taken: list[str] = []
        self.number = 0
        self._file = file
        self._name = name

    def __iter__(self) -> Iterator[str]:
        try:
            while line := self._file.readline(_LONGEST):
                self.number += 1
                if len(line) == _LONGEST:
                    raise DocumentError(
                        f"a line has more than {_LONGEST} characters", f"{self._name}, line {self.number}"
                    )
                self.taken.append(line)
                yield line
        except UnicodeDecodeError as error:
            raise DocumentError(f"is not complete {error.encoding}", f"{self._name}, line {self.number + 1}") from None


def _codec(start: bytes, name: str, settings: Settings) -> tuple[bytes, str]:
    """The byte order mark of a file and its codec; without a mark the setting. Never a codec that writes a mark."""
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return mark, codec
    codec = codecs.lookup(settings.encoding).name
    if b"\x00" in start and not codec.startswith("utf-16"):
        raise DocumentError("looks like UTF-16 without a mark; set `encoding` to utf-16-le or utf-16-be", name)
    return b"", {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(codec, codec)


@attrs.define
class CsvRows:
    """The rows of a CSV file.

    head: mark and header; before any of the rows it makes a document. Set when the first row is yielded.
    """

    document: Document
    settings: Settings
    head: bytes = b""

    def __iter__(self) -> Iterator[Row]:
        """The rows, one at a time.

        Raises DocumentError when a column of the mapping is not in the header. A row that is not CSV, has more or
        fewer fields than the header, or bytes that are not in the encoding, has a fault; the rows after it are read.
        """
        with self.document.open() as file:
            mark, codec = _codec(file.read(4), self.document.name, self.settings)
            file.seek(len(mark))
            # Bytes that are not in the encoding are a fault of their row only (PEP 383), except in UTF-16.
            errors = "strict" if codec.startswith("utf-16") else "surrogateescape"
            lines = _Lines(io.TextIOWrapper(file, codec, errors=errors, newline=""), self.document.name)
            found = _records(lines, self.settings)
            names: list[str] | None = None
            self.head = mark
            if self.settings.header:
                first = next(found, None)
                if first is None:
                    return
                names = [name.strip() for name in first.fields]
                if first.fault:
                    raise DocumentError(f"the header {first.fault}", f"{self.document.name}, line {first.line}")
                _check(names, f"{self.document.name}, line {first.line}", self.settings)
                self.head += first.text.encode(codec, errors)
            for record in found:
                yield _row(record, names, record.text.encode(codec, errors), codec)


@attrs.frozen
class _Record:
    """The fields of a row, its text with its line end, its first line, and why it is not CSV ("" when it is)."""

    fields: list[str]
    text: str
    line: int
    fault: str


def _records(lines: _Lines, settings: Settings) -> Iterator[_Record]:
    """The rows of the file without blank ones."""
    reader = csv.reader(
        iter(lines),
        delimiter=settings.delimiter,
        quotechar=settings.quote or None,
        quoting=csv.QUOTE_MINIMAL if settings.quote else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        first, fault, fields = lines.number + 1, "", list[str]()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = f"is not CSV: {error}"  # the reader starts again with the next line
        text, lines.taken[:] = "".join(lines.taken), []
        if fault:
            fields = text.rstrip("\r\n").split(settings.delimiter)
        if fault or any(field.strip() for field in fields):
            yield _Record(fields, text if text.endswith(("\n", "\r")) else f"{text}\n", first, fault)


def _check(names: list[str], place: str, settings: Settings) -> None:
    for column, where in settings.named.items():
        if names.count(column) == 1:
            continue
        shown = ", ".join(ascii(name)[1:-1] for name in names[:50])
        if column in names:
            raise DocumentError(f'the header has the column "{column}" ({where}) twice: {shown}', place)
        near = get_close_matches(column, names, 1)
        hint = f'; did you mean "{near[0]}"?' if near else "; is `delimiter` right?" if len(names) == 1 else "."
        raise DocumentError(f'the header lacks the column "{column}" ({where}){hint} It has: {shown}', place)


def _row(record: _Record, names: list[str] | None, raw: bytes, codec: str) -> Row:
    fields, fault = record.fields, record.fault
    columns = [str(position) for position in range(1, len(fields) + 1)] if names is None else names
    while len(fields) > len(columns) and not fields[-1].strip():
        fields.pop()  # a delimiter at the end of the line
    if not fault and len(fields) != len(columns):
        fault = f"has {len(fields)} fields, and the header {len(columns)}"
    if not fault and _UNDECODED.search(record.text):
        fault = f"has bytes that are not {codec}; set `encoding`"
    return Row(dict(zip(columns, fields, strict=False)), f"line {record.line}", raw, fault)


# --- JSON lines ----------------------------------------------------------------------------------------------------


def json_rows(document: Document, settings: Settings) -> Iterator[Row]:
    """A row a record of JSON lines (or of an array), or one a line by `lines`; nested members are columns "a.b"."""
    for record in json_records(document, largest=settings.largest):
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

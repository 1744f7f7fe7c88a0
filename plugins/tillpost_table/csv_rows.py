"""Rows of a CSV file, one at a time, each with its bytes."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import IO

import attrs

from tillpost import DocumentError
from tillpost.kit import masked
from tillpost.model import Document
from tillpost_table.rows import Row
from tillpost_table.settings import Settings
from tillpost_table.sheets import TITLES, opened

_LONGEST = 1024 * 1024
_UNDECODED = re.compile("[\udc80-\udcff]")
_SEP = re.compile(r"\"?sep=([,;:|^~\t])\"?\s*", re.IGNORECASE)
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class _Lines:
    """The lines of a file for the csv reader; `taken` collects those of the current row."""

    def __init__(self, file: IO[str], name: str) -> None:
        self.taken: list[str] = []
        self.number = 0
        self._file = file
        self._name = name
        self._first: str | None = None

    def delimiter(self) -> str:
        """The delimiter that a first line `sep=;` names, which is read; "" where the file has no such line."""
        self._first = self._read()
        found = _SEP.fullmatch(self._first)
        if found:
            self._first, self.number = None, 1
        return found[1] if found else ""

    def _read(self) -> str:
        if self._first is not None:
            line, self._first = self._first, None
            return line
        try:
            # A file that was joined to the one before begins with its own mark, which would be part of an id.
            return self._file.readline(_LONGEST).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise DocumentError(f"is not complete {error.encoding}", f"{self._name}, line {self.number + 1}") from None

    def __iter__(self) -> Iterator[str]:
        while line := self._read():
            self.number += 1
            if len(line) == _LONGEST:
                raise DocumentError(f"a line has more than {_LONGEST} characters", f"{self._name}, line {self.number}")
            self.taken.append(line)
            yield line


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
        with opened(self.document, self.settings) as file:
            mark, codec = _codec(file.read(4), self.document.name, self.settings)
            file.seek(len(mark))
            # Bytes that are not in the encoding are a fault of their row only (PEP 383), except in UTF-16.
            errors = "strict" if codec.startswith("utf-16") else "surrogateescape"
            lines = _Lines(io.TextIOWrapper(file, codec, errors=errors, newline=""), self.document.name)
            delimiter = lines.delimiter()
            found = _records(lines, self.settings, delimiter or self.settings.delimiter)
            names: list[str] | None = None
            self.head = mark + (f"sep={delimiter}\n".encode(codec) if delimiter else b"")
            if self.settings.header:
                first = _header(found, self.settings, self.document.name)
                if first is None:
                    return
                names = [name.strip() for name in first.fields]
                self.head += first.text.encode(codec, errors)
            for record in found:
                yield _row(record, names, record.text.encode(codec, errors), codec)


@attrs.define
class _Record:
    """The fields of a row, its text with its line end, its first line, and why it is not CSV ("" when it is)."""

    fields: list[str]
    text: str
    line: int
    fault: str


def _records(lines: _Lines, settings: Settings, delimiter: str) -> Iterator[_Record]:
    """The rows of the file without blank ones."""
    reader = csv.reader(
        iter(lines),
        delimiter=delimiter,
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
            fields = text.rstrip("\r\n").split(delimiter)
        if fault or any(field.strip() for field in fields):
            yield _Record(fields, text if text.endswith(("\n", "\r")) else f"{text}\n", first, fault)


def _header(found: Iterator[_Record], settings: Settings, name: str) -> _Record | None:
    """The first row with every column of the mapping, which may stand below rows of titles; None for an empty file.

    Raises DocumentError when none of the first rows has them.
    """
    needed, nearest = settings.named.keys(), None
    for record in itertools.islice(found, TITLES):
        names = [field.strip() for field in record.fields]
        if nearest is None or len(needed & set(names)) > len(needed & set(nearest[1])):
            nearest = record, names
        if not record.fault and needed <= set(names):
            break
    if nearest is None:
        return None
    record, names = nearest
    place = f"{name}, line {record.line}"
    if record.fault:
        raise DocumentError(f"the header {record.fault}", place)
    _check(names, place, settings)
    return record


def _check(names: list[str], place: str, settings: Settings) -> None:
    # A row with hardly a column of the mapping may be no header but a sale, and its cells a customer's.
    named = settings.named
    is_header = 3 * len(named.keys() & set(names)) >= len(named)
    shown = ", ".join(ascii(name if is_header or not name else masked(name))[1:-1] for name in names[:50])
    for column, where in named.items():
        if names.count(column) == 1:
            continue
        if column in names:
            raise DocumentError(f'the header has the column "{column}" ({where}) twice: {shown}', place)
        near = get_close_matches(column, names, 1) if is_header else []
        hint = f'; did you mean "{near[0]}"?' if near else "; is `delimiter` right?" if len(names) == 1 else "."
        out = (
            f' Set {where} = "" where a preset names it in vain.' if where.startswith(("columns.", "customer.")) else ""
        )
        raise DocumentError(f'the header lacks the column "{column}" ({where}){hint} It has: {shown}.{out}', place)


def _row(record: _Record, names: list[str] | None, raw: bytes, codec: str) -> Row:
    fields, fault = record.fields, record.fault
    columns = [str(position) for position in range(1, len(fields) + 1)] if names is None else names
    while len(fields) > len(columns) and not fields[-1].strip():
        fields.pop()  # a delimiter at the end of the line
    is_short = not fault and len(fields) < len(columns)
    if not fault and len(fields) != len(columns):
        fault = f"has {len(fields)} fields, and the header {len(columns)}"
    if not fault and _UNDECODED.search(record.text):
        fault = f"has bytes that are not {codec}; set `encoding`"
    return Row(dict(zip(columns, fields, strict=False)), f"line {record.line}", raw, fault, is_short)

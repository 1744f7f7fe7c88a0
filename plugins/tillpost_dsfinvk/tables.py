"""The CSV files of an export, row by row, and the cells of a row by column."""

from __future__ import annotations

import codecs
import csv
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, cast

import attrs

from tillpost import DocumentError, InvalidValue
from tillpost.kit import broken_id, parse_decimal
from tillpost_dsfinvk.index import Form

_LONGEST = 1024 * 1024
_UNDECODED = re.compile("[\udc80-\udcff]")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NUMBERS = {
    mark: re.compile(rf"[+-]?(?:[0-9]{{1,3}}(?:{other}[0-9]{{3}})+|[0-9]*)(?:{point}[0-9]*)?")
    for mark, point, other in ((",", ",", r"\."), (".", r"\.", ","))
}
_BLANKS = str.maketrans({"\u2212": "-", **dict.fromkeys("' \u2019\u00a0\u202f\u2009")})
KEY = ("Z_KASSE_ID", "Z_NR", "BON_ID")
Closing = tuple[str, str]
"""Z_KASSE_ID and Z_NR of a closing."""


@attrs.frozen
class Entry:
    """One row as it stands in its file: its text, its first line, its keys, and why it cannot be read ("" when it can).

    bon: its BON_ID; "" in a table of the closing.
    """

    table: Table
    text: str = attrs.field(repr=False)
    line: int
    closing: Closing
    bon: str
    fault: str = ""

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.table.file}, line {self.line}"


@attrs.define(eq=False)
class Table:
    """One CSV file. file: its name in messages. head: its header as it stands, once it has been read."""

    name: str
    file: str
    form: Form
    open: Callable[[], IO[bytes]]
    head: str = ""
    columns: dict[str, int] = attrs.field(factory=dict)
    decimal: str = ","
    _width: int = attrs.field(default=0, init=False)
    _codec: str = attrs.field(default="", init=False)
    _whole: dict[Closing, Closing] = attrs.field(factory=dict, init=False)

    def read(self) -> Iterator[Entry]:
        """The rows, one at a time. Raises DocumentError for a file without its columns, and one that is damaged."""
        for text, line, cells, fault in self._rows():
            yield self._entry(text, line, cells, fault)

    def closings(self) -> Iterator[Closing]:
        """The closing of each row, without those that name none. Raises DocumentError as `read` does."""
        for _, _, cells, _ in self._rows():
            closing = self._closing(cells)
            if any(closing):
                yield closing

    def content(self, most: int) -> bytes:
        """The first bytes of the file, at most so many. Raises DocumentError for a file that is damaged."""
        with self._opened() as binary:
            return binary.read(most)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        try:
            with self.open() as binary:
                yield binary
        except UnicodeDecodeError as error:
            raise DocumentError(f"is not complete {error.encoding}; set `encoding`", self.file) from None
        # What zipfile and zlib raise for bytes that are not those of a zip (ValueError: a place before its beginning).
        except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError) as error:
            what = "has a password" if "encrypted" in str(error) else "is damaged"
            raise DocumentError(f"{what}; make the export again and hand it in", self.file) from None

    def _rows(self) -> Iterator[tuple[str, int, list[str], str]]:
        """Each row: its text, its first line, its cells, and why it is no CSV."""
        with self._opened() as binary:
            buffered = io.BufferedReader(cast("io.RawIOBase", binary))
            start = buffered.peek(4)[:4]
            self._codec = next((codec for mark, codec in _MARKS if start.startswith(mark)), self.form.codec or "utf-8")
            errors = "strict" if self._codec.startswith("utf-16") else "surrogateescape"
            lines = _Lines(io.TextIOWrapper(buffered, self._codec, errors=errors, newline=""), self.file)
            reader = csv.reader(lines, delimiter=self.form.delimiter, quotechar=self.form.quote, strict=True)
            blank, number, self.columns = f"{self.form.delimiter} \t\r\n", 1, {}
            while True:
                fault, cells = "", list[str]()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    fault = f"is not CSV: {error}"  # the reader starts again with the next line
                text, first, number = "".join(lines.taken), number, lines.number + 1
                lines.taken.clear()
                if not text.strip(blank):
                    continue
                if not self.columns and not fault and self._set_columns(cells):
                    self.head = text if text.endswith("\n") else f"{text}\n"
                    continue
                yield text, first, cells, fault

    def _set_columns(self, cells: list[str]) -> bool:
        """Whether these are the names of the columns; where they are not, the index has them."""
        names = [cell.strip().upper() for cell in cells]
        if found := "Z_KASSE_ID" in names or "BON_ID" in names:
            while names and not names[-1]:
                names.pop()  # a delimiter at the end of the line
        elif self.form.names:
            names = [*self.form.names]
            self.head = self.form.delimiter.join(self.form.names) + "\r\n"
        else:
            shown = ", ".join(name[:20] for name in names[:6])
            raise DocumentError(f"the first line names no column Z_KASSE_ID or BON_ID; it has {shown}", self.file)
        self._width, self.columns = len(names), {name: at for at, name in reversed(list(enumerate(names)))}
        return found

    def _entry(self, text: str, line: int, cells: list[str], fault: str) -> Entry:
        closing, bon = self._closing(cells), self._cell(cells, "BON_ID")
        if not fault:
            while len(cells) > self._width and not cells[-1].strip():
                cells.pop()  # a delimiter at the end of the line
            if len(cells) != self._width:
                fault = f"has {len(cells)} fields, and the header {self._width}"
            elif not text.isascii() and _UNDECODED.search(text):
                fault = f"has bytes that are not {self._codec.removesuffix('-sig')}; set `encoding`"
            elif broken := [name for name in KEY if name != "Z_NR" and broken_id(self._cell(cells, name), code=True)]:
                what = broken_id(self._cell(cells, broken[0]), code=True)
                fault = f"{broken[0]} {what}; take the export as the till wrote it"
        return Entry(self, text if text.endswith("\n") else f"{text}\n", line, closing, bon, fault)

    def _closing(self, cells: list[str]) -> Closing:
        written = (self._cell(cells, "Z_KASSE_ID"), self._cell(cells, "Z_NR"))
        if written not in self._whole:  # thousands of rows have the same
            self._whole = {written: (written[0], _whole(written[1]))}
        return self._whole[written]

    def _cell(self, cells: list[str], name: str) -> str:
        at = self.columns.get(name, len(cells))
        return cells[at].strip() if at < len(cells) else ""


def _whole(number: str) -> str:
    """The number of a closing without the marks of its groups and without leading zeros: 1.234 is 1234."""
    digits = number.replace(".", "").replace(" ", "")
    return (digits.lstrip("0") or "0") if digits.isdecimal() else number


class _Lines:
    """The lines of a file for the csv reader; `taken` has those of the current row."""

    def __init__(self, file: IO[str], name: str) -> None:
        self.taken: list[str] = []
        self.number = 0
        self._file = file
        self._name = name

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_LONGEST):
            self.number += 1
            if len(line) == _LONGEST:
                raise DocumentError(f"a line has more than {_LONGEST} characters", f"{self._name}, line {self.number}")
            self.taken.append(line)
            yield line


@attrs.frozen
class Row:
    """The cells of an entry. Each method raises InvalidValue with file, line and column."""

    entry: Entry
    cells: list[str] = attrs.field(repr=False)

    @classmethod
    def of(cls, entry: Entry) -> Row:
        """The cells of an entry without a fault."""
        form = entry.table.form
        lines = io.StringIO(entry.text, newline="")  # str.splitlines would end a line at U+2028, too
        return cls(entry, next(csv.reader(lines, delimiter=form.delimiter, quotechar=form.quote)))

    def text(self, column: str) -> str:
        """The cell, "" where the file has no such column; white space as one blank."""
        at = self.entry.table.columns.get(column)
        return " ".join(self.cells[at].split()) if at is not None else ""

    def place(self, column: str) -> str:
        """Where the cell stands, for messages."""
        return f"{self.entry.place}, {column}"

    def identifier(self, column: str) -> str:
        """The cell of an id. Raises InvalidValue for one that a spreadsheet has changed: it may be another's."""
        written = self.text(column)
        if fault := broken_id(written, code=True):
            raise InvalidValue(f"{fault}; take the export as the till wrote it", place=self.place(column))
        return written

    def number(self, column: str) -> Decimal | None:
        """The number in the marks of the export, None where it is empty."""
        written = self.text(column)
        return parse_number(written, self.entry.table.decimal, self.place(column)) if written else None


def parse_number(written: str, decimal: str, place: str) -> Decimal:
    """A number with this decimal mark. One that can only be meant with the other is read with that."""
    plain = written.translate(_BLANKS)
    if plain.endswith("-"):
        plain = f"-{plain[:-1]}"
    other = "." if decimal == "," else ","
    for mark, group in ((decimal, other), (other, decimal)):
        if _NUMBERS[mark].fullmatch(plain) and any(digit.isdecimal() for digit in plain):
            return parse_decimal(plain.replace(group, "").replace(mark, "."), place)
    shown = f": {written!a}" if len(written) <= 12 else ""
    raise InvalidValue(f"not a number such as 1234{decimal}50{shown}", place=place)

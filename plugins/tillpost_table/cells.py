"""Cells as values: a text, a number with the file's marks, a time in the file's format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import local_time, parse_date, parse_decimal, parse_time
from tillpost_table.rows import Row
from tillpost_table.settings import Settings

_EXAMPLE = datetime(2026, 1, 31, 14, 30)  # noqa: DTZ001 - a till's local time


@attrs.frozen
class Cells:
    """Reads the fields of rows by the mapping. Each raises InvalidValue with line and column, never with the value."""

    settings: Settings
    _sources: dict[str, tuple[str, str, Mapping[str, str]]] = attrs.field(init=False)
    """Field → its column, the constant for an empty cell, and the meaning of its values."""
    _number: re.Pattern[str] = attrs.field(init=False)

    @_sources.default
    def _by_field(self) -> dict[str, tuple[str, str, Mapping[str, str]]]:
        given = self.settings
        return {
            field: (given.columns.get(field, ""), given.constants.get(field, ""), given.values.get(field, {}))
            for field in (*given.columns, *given.constants)
        }

    @_number.default
    def _pattern(self) -> re.Pattern[str]:
        mark, point = re.escape(self.settings.thousands), re.escape(self.settings.decimal)
        grouped = rf"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|" if mark else ""
        return re.compile(rf"[+-]?(?:{grouped}[0-9]*)(?:{point}[0-9]*)?")

    def text(self, row: Row, field: str) -> str:
        """The value of a field in a row: its column, else the constant, translated by `values`."""
        source = self._sources.get(field)
        if source is None:
            return ""
        column, constant, values = source
        written = row.cells.get(column, "").strip() or constant
        return values.get(written, written)

    def place(self, row: Row, field: str) -> str:
        """Where the field stands, for messages."""
        return f"{row.place}, column {self.settings.columns.get(field, field)}"

    def same(self, rows: Sequence[Row], field: str) -> str:
        """The value of a field of the receipt. Raises InvalidValue when two rows differ in it."""
        found, first = "", rows[0]
        for row in rows:
            value = self.text(row, field)
            if value and found and value != found:
                raise InvalidValue(
                    f"differs from {first.place}, it must be the same in all rows of a receipt",
                    place=self.place(row, field),
                )
            if value and not found:
                found, first = value, row
        return found

    def number(self, row: Row, field: str) -> Decimal | None:
        """The number of a field, None when it is empty."""
        written = self.text(row, field)
        return self.decimal(written, self.place(row, field)) if written else None

    def decimal(self, written: str, place: str) -> Decimal | None:
        """A number with the marks of the file; a minus (SAP) or a % sign may follow it."""
        text = written.replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-").removesuffix("%").strip()
        if not text:
            return None
        if text.endswith("-"):
            text = f"-{text[:-1].strip()}"
        if not self._number.fullmatch(text):
            raise InvalidValue(f"not a number such as 12{self.settings.decimal}50", place=place)
        if self.settings.thousands:
            text = text.replace(self.settings.thousands, "")
        return parse_decimal(text.replace(self.settings.decimal, "."), place)

    def created(self, rows: Sequence[Row]) -> tuple[datetime, tuple[str, ...]]:
        """The time of the first row that has one, and its flags; rows of a receipt may be seconds apart."""
        for row in rows:
            written, field = self.text(row, "created"), "created"
            if not written:
                field = "date"
                written = f"{self.text(row, 'date')} {self.text(row, 'time')}".strip()
            if written:
                place = self.place(row, field)
                if not self.settings.date:
                    return parse_time(written, self.settings.timezone, place)
                return local_time(self._parsed(written, self.settings.date, place), self.settings.timezone, place)
        raise InvalidValue("the receipt has no time", place=rows[0].place)

    def day(self, rows: Sequence[Row]) -> date | None:
        """The business date, by the part of `date` before its first space; None when no row has one."""
        written = self.same(rows, "business_date")
        if not written:
            return None
        place = self.place(rows[0], "business_date")
        if not self.settings.date:
            return parse_date(written, place)
        return self._parsed(written, self.settings.date.partition(" ")[0], place).date()

    def _parsed(self, written: str, form: str, place: str) -> datetime:
        try:
            return datetime.strptime(written, form)  # noqa: DTZ007 - local_time gives it its offset
        except ValueError:
            example = _EXAMPLE.strftime(form)
            raise InvalidValue(f"not a time such as {example}; set `date` to the file's format", place=place) from None

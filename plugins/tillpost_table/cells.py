"""Cells as values: a text, a number with the file's marks, a time in the file's format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import (
    AmbiguousMonth,
    broken_id,
    local_time,
    masked,
    parse_decimal,
    parse_named_time,
    parse_time,
    plain_text,
    quoted,
    spreadsheet_time,
    unquoted,
    written_number,
)
from tillpost_table.rows import Row
from tillpost_table.settings import Settings

_EXAMPLE = datetime(2026, 1, 31, 14, 30)  # noqa: DTZ001 - a till's local time


@attrs.frozen
class Cells:
    """Reads the fields of rows by the mapping. Each raises InvalidValue with line, column and value."""

    settings: Settings
    _sources: dict[str, tuple[str, str, Mapping[str, str]]] = attrs.field(init=False)
    """Field → its column, the constant for an empty cell, and the meaning of its values."""
    _number: re.Pattern[str] = attrs.field(init=False)
    _line_fields: tuple[str, ...] = attrs.field(init=False)
    _beside: list[frozenset[str]] = attrs.field(factory=list)
    """The currencies of the signs beside numbers of the receipt that is read."""

    @_sources.default
    def _by_field(self) -> dict[str, tuple[str, str, Mapping[str, str]]]:
        given = self.settings
        return {
            field: (given.columns.get(field, ""), given.constants.get(field, ""), given.values.get(field, {}))
            for field in (*given.columns, *given.constants)
        }

    @_line_fields.default
    def _of_lines(self) -> tuple[str, ...]:
        return tuple(name for name in ("paid", "unit_price", "sku", "article_number") if name in self.settings.columns)

    @_number.default
    def _pattern(self) -> re.Pattern[str]:
        mark, point = re.escape(self.settings.thousands), re.escape(self.settings.decimal)
        grouped = rf"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|" if mark else ""
        return re.compile(rf"[+-]?(?:{grouped}[0-9]+)(?:{point}[0-9]+)?")

    def text(self, row: Row, field: str) -> str:
        """The value of a field in a row: its column, else the constant, translated by `values`."""
        source = self._sources.get(field)
        if source is None:
            return ""
        column, constant, values = source
        written = row.cells.get(column, "").strip() or constant
        return values.get(written, written)

    @property
    def has_whole(self) -> bool:
        """Whether the mapping has charges, a discount or a tax of the whole receipt."""
        return not self._sources.keys().isdisjoint(("charges", "receipt_discount", "receipt_tax"))

    def is_line(self, row: Row) -> bool:
        """Whether the row has a line: a price, or an article, in a column of its own."""
        return any(self.text(row, field) for field in self._line_fields)

    def place(self, row: Row, field: str) -> str:
        """Where the field stands, for messages."""
        return f"{row.place}, column {self.settings.columns.get(field, field)}"

    def same(self, rows: Sequence[Row], field: str) -> str:
        """The value of a field of the receipt. Raises InvalidValue when two rows differ in it."""
        found, first = "", rows[0]
        if field not in self._sources:
            return ""
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

    def id_of(self, row: Row, field: str, *, code: bool = False) -> str:
        """The id in a field of a row. Raises InvalidValue for one that a spreadsheet broke."""
        text = self.text(row, field)
        return self.id(text, self.place(row, field), code=code) if text else ""

    def same_id(self, rows: Sequence[Row], field: str) -> str:
        """The id in a field of the receipt. Raises InvalidValue when two rows differ in it, or it is broken."""
        text = self.same(rows, field)
        return self.id(text, self.place(rows[0], field)) if text else ""

    def number(self, row: Row, field: str) -> Decimal | None:
        """The number of a field, None when it is empty."""
        written = self.text(row, field)
        return self.decimal(written, self.place(row, field)) if written else None

    def amount(self, rows: Sequence[Row], field: str) -> Decimal | None:
        """The number in a field of the receipt, None when it is empty. Raises InvalidValue when two rows differ."""
        if field not in self._sources:
            return None
        return self.decimal(self.same(rows, field), self.place(rows[0], field))

    def decimal(self, written: str, place: str) -> Decimal | None:
        """A number by the file's marks, or as people and spreadsheets write it; None when it is empty."""
        if self._number.fullmatch(written):
            plain = written.replace(self.settings.thousands, "") if self.settings.thousands else written
            return parse_decimal(plain.replace(self.settings.decimal, "."), place)
        if not written.removesuffix("%").strip():
            return None
        marks = {"decimal": self.settings.decimal, "thousands": self.settings.thousands}
        try:
            number = written_number(written, place, **marks)
        except InvalidValue as error:
            raise InvalidValue(f"{error.fault}{self._hint(written)}", place=place) from None
        if number.currencies:
            self._beside.append(number.currencies)
        return number.value

    def _hint(self, written: str) -> str:
        """Which setting would make a number of the text."""
        other = "," if self.settings.decimal == "." else "."
        helpful = []
        for setting, marks in (("decimal", (other, "")), ("thousands", (self.settings.decimal, other))):
            with suppress(InvalidValue):
                written_number(written, "", decimal=marks[0], thousands=marks[1])
                helpful.append(f"`{setting}`")
        return f'; set {" or ".join(helpful)} to "{other}" where it is that mark' if helpful else ""

    def begin(self) -> None:
        """Forget what was beside the numbers of the receipt before."""
        self._beside.clear()

    def is_of_other_currency(self, currency: str) -> bool:
        """Whether a sign or word beside a number of this receipt means another currency."""
        return any(currency not in meant for meant in self._beside)

    def id(self, written: str, place: str, *, code: bool = False, secret: bool = False) -> str:
        """An id as text, without the marks that keep a spreadsheet from changing it.

        code: of an article. secret: of a customer. Raises InvalidValue for one that a spreadsheet broke.
        """
        if written.isalnum() and len(written) < 18:
            return written
        text = unquoted(written)
        if self.settings.broken_ids == "hold" and (fault := broken_id(text, code=code)):
            shown = masked(text) if secret and len(text) > 9 else quoted(text)
            hint = 'export the column as text, or set `broken_ids` to "keep" where it is meant so'
            raise InvalidValue(f"{shown} {fault}; {hint}", place=place)
        return text

    def created(self, rows: Sequence[Row]) -> tuple[datetime, tuple[str, ...]]:
        """The time of the first row that has one, and its flags; rows of a receipt may be seconds apart."""
        for row in rows:
            written, field = self.text(row, "created"), "created"
            if not written:
                field = "date"
                written = f"{self.text(row, 'date')} {self.text(row, 'time')}".strip()
            if written:
                place = self.place(row, field)
                if not self.settings.date and _is_iso(written):
                    return parse_time(written, self.settings.timezone, place)
                moment = self._moment(written, self.settings.date, place)
                return local_time(moment, self.settings.timezone, place)
        raise InvalidValue("the receipt has no time", place=rows[0].place)

    def day(self, rows: Sequence[Row]) -> date | None:
        """The business date, by the part of `date` before its first space; None when no row has one."""
        written = self.same(rows, "business_date")
        if not written:
            return None
        form = self.settings.date.partition(" ")[0]
        return self._moment(written, form, self.place(rows[0], "business_date")).date()

    def _moment(self, written: str, form: str, place: str) -> datetime:
        """A time by the format, with names of months in any language, by ISO 8601, or as a spreadsheet counts it."""
        fault = "set `date` to the file's format" + ("" if form else ', such as "%d.%m.%Y %H:%M"')
        if form:
            try:
                return datetime.strptime(written, form)  # noqa: DTZ007 - local_time gives it its offset
            except ValueError:
                pass
            try:
                return parse_named_time(written, form, self.settings.language)
            except AmbiguousMonth as error:
                fault = f"{error}; set `language`"
            except ValueError:
                pass
        text = plain_text(written)
        if _is_iso(text):
            moment = datetime.fromisoformat(text)
            return moment.astimezone(self.settings.timezone) if text[-1] in "zZ" else moment
        if counted := spreadsheet_time(text):
            return counted
        example = _EXAMPLE.strftime(form) if form else _EXAMPLE.isoformat(sep=" ")
        raise InvalidValue(f"{quoted(written)} is not a time such as {example}; {fault}", place=place)


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

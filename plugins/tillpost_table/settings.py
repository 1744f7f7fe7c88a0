"""What a pipeline may set for the adapter `table`: the shape of the file, and which column is what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost_table.presets import resolved

RECEIPT = (
    *("number", "store", "till", "currency", "created", "date", "time", "business_date"),
    *("total", "rounding", "charges", "receipt_discount", "receipt_tax"),
)
"""Fields of a receipt: the same in all its rows, or empty."""
LINE = (
    "kind",
    "sku",
    "quantity",
    "paid",
    "unit_price",
    "discount",
    "tax_amount",
    "tax_percent",
    "article_number",
    "article_name",
    "article_group",
    "original_receipt",
)
"""Fields of one line."""
TENDER = ("tender_type", "tender_amount", "tender_description")
"""Fields of one tender, in a row of its own or in all rows alike."""
FIELDS = (*RECEIPT, *LINE, *TENDER)
KEY = ("store", "till", "business_date", "date", "number")
"""The fields that identify a receipt's rows without `group`, as far as they have a column."""

_NEEDED = (
    (("number",), "number"),
    (("store",), "store"),
    (("currency",), "currency"),
    (("created", "date"), "created, or date and time"),
    (("sku", "article_number"), "sku or article_number"),
    (("paid", "unit_price"), "paid or unit_price"),
)


def _known(names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"fields are {', '.join(known)}"
            raise ValueError(f'"{name}" is not a field; {hint}')


def _fields(_: object, __: attrs.Attribute[Any], value: Iterable[str]) -> None:
    _known(value, FIELDS)


def _one_character(_: object, field: attrs.Attribute[str], value: str) -> None:
    if len(value) > 1 or (not value and field.name == "delimiter"):
        raise ValueError(f"{field.name} must be one character")


def _codec(_: object, __: attrs.Attribute[str], value: str) -> None:
    try:
        b"a,1\n".decode(value, "surrogateescape")
    except (LookupError, UnicodeError):
        raise ValueError("encoding must be a text encoding such as utf-8, windows-1252 or cp850") from None


def _time_form(_: object, __: attrs.Attribute[str], value: str) -> None:
    try:
        datetime.strptime("", value)  # noqa: DTZ007 - only the form is looked at
    except ValueError as error:
        if "directive" in str(error) or "stray" in str(error):
            raise ValueError('date must be a format of times such as "%d.%m.%Y %H:%M"') from None


def _language(_: object, __: attrs.Attribute[str], value: str) -> None:
    from tillpost.kit.written_time import languages

    if value and value not in languages():
        raise ValueError(f"language must be a code such as {', '.join(sorted(languages()))}")


@attrs.frozen(kw_only=True, init=False)
class Settings:
    """The time zone and the columns must be given; a field is a column of the file, or a constant.

    timezone: of times without an offset.
    preset: a table of settings in `presets/`, over which the others are laid.
    columns: field → column: its name in the header, its number from 1 where there is none, its path in JSON.
    constants: field → value, where the file has no column for it.
    values: field → value in the file → value meant; what is not named stays.
    customer: identifier kind of Engage, or attribute such as firstName → column.
    tenders: column of amounts → payment type of Engage.
    group: fields by which rows belong to one receipt; none: those of KEY that have a column.
    skip: column → value → why a receipt with it in any row is skipped.
    ignore_rows: column → values of rows that are ignored in their receipt.
    format, delimiter, quote, encoding, header: the shape of the file; an empty quote means that nothing is quoted.
    sheet: of a workbook; empty: the only one that has the columns.
    fill_down: whether a row without values in the columns of `group` continues the receipt above.
    records: JSON: the member of a wrapper that holds the receipts.
    lines, payments: JSON: the lists of a record's lines and payments, whose members are columns "lines.sku".
    decimal, thousands: the marks in numbers.
    date: the format of times, as Python's strptime; empty: ISO 8601.
    language: of the names of months, where a name is another month in another language.
    sign: which of quantity and paid carries the sign of a return.
    tax: whether paid has the tax in it.
    broken_ids: whether a receipt is held when an id in it looks like one that a spreadsheet broke (4,67E+10).
    largest: bytes one JSON line, or an unpacked workbook, may have.
    """

    timezone: ZoneInfo
    preset: Literal["", "loyverse", "odoo-pos", "shopify-orders-csv", "square-items", "sumup", "zettle-receipts"] = ""
    columns: dict[str, str] = attrs.field(factory=dict, validator=_fields)
    constants: dict[str, str] = attrs.field(factory=dict, validator=_fields)
    values: dict[str, dict[str, str]] = attrs.field(factory=dict, validator=_fields)
    customer: dict[str, str] = attrs.field(factory=dict)
    tenders: dict[str, str] = attrs.field(factory=dict)
    group: tuple[str, ...] = attrs.field(default=(), validator=_fields)
    skip: dict[str, dict[str, str]] = attrs.field(factory=dict)
    ignore_rows: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    format: Literal["csv", "json"] = "csv"
    delimiter: str = attrs.field(default=",", validator=_one_character)
    quote: str = attrs.field(default='"', validator=_one_character)
    encoding: str = attrs.field(default="utf-8", validator=_codec)
    header: bool = True
    sheet: str = ""
    fill_down: bool = False
    records: str = ""
    lines: str = ""
    payments: str = ""
    decimal: Literal[".", ","] = "."
    thousands: Literal["", " ", ".", ",", "'"] = ""
    date: str = attrs.field(default="", validator=_time_form)
    language: str = attrs.field(default="", validator=_language)
    sign: Literal["both", "quantity", "paid"] = "both"
    tax: Literal["included", "on top"] = "included"
    broken_ids: Literal["hold", "keep"] = "hold"
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))

    def __init__(self, **given: Any) -> None:
        self.__attrs_init__(**resolved(given))

    def __attrs_post_init__(self) -> None:
        for names, label in _NEEDED:
            if not any(name in self.columns or name in self.constants for name in names):
                raise ValueError(f"columns or constants must have {label}")
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must be different marks")
        for name in ("records", "lines", "payments"):
            if getattr(self, name) and self.format != "json":
                raise ValueError(f'{name} can be set with format = "json" only')
        if not self.key:
            raise ValueError("group must name fields that have a column")

    @property
    def key(self) -> tuple[str, ...]:
        """The columns whose values name a receipt."""
        return tuple(self.columns[name] for name in self.group or KEY if name in self.columns)

    @property
    def named(self) -> Mapping[str, str]:
        """Every column the mapping names → where it is named."""
        return {
            **{column: f"columns.{field}" for field, column in self.columns.items()},
            **{column: f"customer.{field}" for field, column in self.customer.items()},
            **dict.fromkeys(self.tenders, "tenders"),
            **dict.fromkeys(self.skip, "skip"),
            **dict.fromkeys(self.ignore_rows, "ignore_rows"),
        }

"""Tillpost's own JSON form of a receipt: what the journal keeps, what `receipts` reads, what people are shown.

The form is canonical: one receipt has one sequence of bytes (sorted keys, no white space, decimals as text with
at least the digits of the currency, ISO 8601 time with its offset), so the journal may checksum and compare it.
`receipt.schema.json` beside this file describes it (JSON Schema, draft 2020-12).
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeVar, cast

import attrs

from tillpost.errors import LawBroken
from tillpost.model.customer import Customer, Identifier
from tillpost.model.json_values import kind_of, parse_json
from tillpost.model.money import minor_digits, parse_decimal
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender

T = TypeVar("T")

_PLAIN = frozenset({"quantity", "percent", "tax_percent"})
"""Decimals that are no money: written without the currency's digits."""


class MakeId(Protocol):
    """`Context.receipt_id`: the id of a receipt whose input has none."""

    def __call__(self, *, store: str, till: str, business_date: date, number: str) -> str: ...


# --- writing -------------------------------------------------------------------------------------------------------


def _decimal_text(value: Decimal, least_digits: int) -> str:
    text = format(value, "f")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(least_digits, "0")
    text = f"{whole}.{fraction}" if fraction else whole
    return text.removeprefix("-") if not value else text


def _plain(value: Any, name: str, digits: int) -> Any:
    if isinstance(value, Decimal):
        return _decimal_text(value, 0 if name in _PLAIN else digits)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(item, name, digits) for item in value]
    if attrs.has(type(value)):
        return {
            field.name: _plain(getattr(value, field.name), field.name, digits) for field in attrs.fields(type(value))
        }
    return value


def to_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as JSON values: the model's own names, every field present."""
    form: dict[str, Any] = _plain(receipt, "", minor_digits(receipt.currency))
    return form


def _canonical(form: object, place: str) -> bytes:
    text = json.dumps(form, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise LawBroken("text has no lone surrogates", place, "cannot be written as UTF-8") from None


def dumps(receipt: Receipt) -> bytes:
    """The canonical bytes. Raises LawBroken for text that UTF-8 cannot say (a lone surrogate)."""
    return _canonical(to_json(receipt), f"receipt {receipt.id!r}")


def content_digest(receipt: Receipt) -> str:
    """SHA-256 (hex) over the canonical form without `raw`: the same sale read from another file has the same."""
    form = to_json(receipt)
    del form["raw"]
    return hashlib.sha256(_canonical(form, f"receipt {receipt.id!r}")).hexdigest()


# --- reading -------------------------------------------------------------------------------------------------------


def _object(value: Any, place: str, allowed: Sequence[str], needed: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LawBroken("must be an object", place, kind_of(value))
    for name in value:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), allowed, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(allowed)}"
            raise LawBroken("only known keys", place, f"unknown {str(name)[:40]!a}{hint}")
    for name in needed:
        if name not in value:
            raise LawBroken(f"needs the key {name!r}", place, "missing")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise LawBroken("must be text", place, kind_of(value))
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise LawBroken("text has no lone surrogates", place, "has one")
    return value


def _decimal(value: Any, place: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise LawBroken("must be a decimal, best as text", place, kind_of(value))
    return parse_decimal(str(value) if not isinstance(value, str) else _text(value, place), place)


def _pairs(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise LawBroken("must be an object", place, kind_of(value))
    return {_text(name, f"{place} (a key)"): _text(item, f"{place}.{name}") for name, item in value.items()}


def _list(value: Any, place: str, one: Callable[[Any, str], T]) -> tuple[T, ...]:
    if not isinstance(value, list):
        raise LawBroken("must be a list", place, kind_of(value))
    return tuple(one(item, f"{place}[{number}]") for number, item in enumerate(value))


def _moment(value: Any, place: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value, place))
    except ValueError:
        raise LawBroken("must be an ISO 8601 time such as 2026-01-31T12:00:00+01:00", place, "cannot be read") from None
    if moment.tzinfo is None:
        raise LawBroken("the time carries its offset", place, "naive time")
    return moment


def _day(value: Any, place: str) -> date:
    try:
        return date.fromisoformat(_text(value, place))
    except ValueError:
        raise LawBroken("must be a date such as 2026-01-31", place, "cannot be read") from None


def _line_kind(value: Any, place: str) -> LineKind:
    try:
        return LineKind(_text(value, place))
    except ValueError:
        raise LawBroken(f"must be one of {', '.join(LineKind)}", place, "another word") from None


Reader = Callable[[Any, str], Any]


def _reads(made: type[T], **readers: Reader) -> Callable[[Any, str], T]:
    """A reader for an attrs class whose keys are its fields."""
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(cast(Any, made))
    allowed = [field.name for field in fields]
    needed = [field.name for field in fields if field.default is attrs.NOTHING]
    text: Reader = _text

    def read(value: Any, place: str) -> T:
        given = _object(value, place, allowed, needed)
        values = {name: readers.get(name, text)(item, f"{place}.{name}") for name, item in given.items()}
        try:
            return made(**values)
        except LawBroken as error:
            raise LawBroken(error.law, f"{place}, {error.place}", error.by) from None

    return read


def _nullable(one: Callable[[Any, str], T]) -> Callable[[Any, str], T | None]:
    return lambda value, place: None if value is None else one(value, place)


def _many(one: Callable[[Any, str], T]) -> Callable[[Any, str], tuple[T, ...]]:
    return lambda value, place: _list(value, place, one)


_raw = _reads(RawRef)
_read_receipt = _reads(
    Receipt,
    created=_moment,
    business_date=_day,
    total=_decimal,
    lines=_many(
        _reads(
            Line,
            kind=_line_kind,
            quantity=_decimal,
            paid=_decimal,
            tax_amount=_decimal,
            tax_percent=_decimal,
            discounts=_many(_reads(Discount, value=_decimal)),
            extra=_pairs,
        )
    ),
    tenders=_many(_reads(Tender, amount=_decimal, extra=_pairs)),
    taxes=_many(
        _reads(Tax, percent=_decimal, amount=_decimal, including_tax=_decimal, excluding_tax=_decimal),
    ),
    customer=_nullable(_reads(Customer, identifiers=_many(_reads(Identifier)), attributes=_pairs)),
    vouchers=_many(_text),
    promotions=_many(_reads(Promotion)),
    flags=_many(_text),
    extra=_pairs,
    raw=_raw,
)


def from_json(obj: Any, *, place: str, make_id: MakeId | None = None, raw: RawRef | None = None) -> Receipt:
    """The receipt in JSON values. Raises LawBroken with the place and the path of what is wrong.

    make_id: makes the id of an object without `id` (`Context.receipt_id`); without it the id must be there.
    raw: where an object without `raw` came from.
    """
    if isinstance(obj, dict):
        if raw is not None and "raw" not in obj:
            obj = obj | {"raw": attrs.asdict(raw)}
        if make_id is not None and "id" not in obj:
            parts = {name: _text(obj.get(name, ""), f"{place}.{name}") for name in ("store", "till", "number")}
            obj = obj | {"id": make_id(business_date=_day(obj.get("business_date"), f"{place}.business_date"), **parts)}
    return _read_receipt(obj, place)


def loads(content: bytes, *, place: str = "receipt") -> Receipt:
    """The receipt in canonical (or any) JSON bytes. Raises LawBroken."""
    return from_json(parse_json(content, place=place), place=place)


# --- comparing -----------------------------------------------------------------------------------------------------

_ABSENT = object()


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return ascii(text if len(text) <= 80 else text[:77] + "...")[1:-1]


def _compare(path: str, a: Any, b: Any) -> list[str]:
    if a == b:
        return []
    if path.startswith("customer"):
        return [f"{path}: differs (customer values are not shown)"]
    if isinstance(a, dict) and isinstance(b, dict):
        found: list[str] = []
        for name in sorted(a.keys() | b.keys()):
            found += _compare(f"{path}.{name}" if path else name, a.get(name, _ABSENT), b.get(name, _ABSENT))
        return found
    if isinstance(a, list) and isinstance(b, list):
        found = []
        for number in range(max(len(a), len(b))):
            pair = [side[number] if number < len(side) else _ABSENT for side in (a, b)]
            found += _compare(f"{path}[{number}]", *pair)
        return found
    return [f"{path}: {_shown(a)} → {_shown(b)}"]


def difference(a: bytes, b: bytes) -> list[str]:
    """The paths in which two JSON forms differ, with both values; customer values are masked, `raw` is left out."""
    forms = [parse_json(side, place="receipt") for side in (a, b)]
    for form in forms:
        form.pop("raw", None)
    return _compare("", *forms)

"""Tillpost's own JSON form of a receipt: what the journal keeps, what `receipts` reads, what people are shown.

The form is canonical: one receipt has one sequence of bytes (sorted keys, no white space, decimals as text with
at least the digits of the currency, ISO 8601 time with its offset), so the journal may checksum and compare it.
`receipt.schema.json` beside this file describes it (JSON Schema, draft 2020-12).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar, cast

import attrs

from tillpost.errors import LawBroken
from tillpost.model.customer import Customer, Identifier
from tillpost.model.money import minor_digits, parse_decimal
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender

T = TypeVar("T")

_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS = {kind.value: kind for kind in LineKind}


class MakeId(Protocol):
    """`Context.receipt_id`: the id of a receipt whose input has none."""

    def __call__(self, *, store: str, till: str, business_date: date, number: str) -> str: ...


# --- writing -------------------------------------------------------------------------------------------------------

Writer = Callable[[Any, int], Any]
"""Makes the JSON value of a field; the number is how many digits the currency has behind the point."""


def _money_text(value: Decimal, least_digits: int) -> str:
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    whole, _, fraction = text.partition(".")
    if len(fraction) != least_digits:
        fraction = fraction.rstrip("0").ljust(least_digits, "0")
        text = f"{whole}.{fraction}" if fraction else whole
    return text if value else text.removeprefix("-")


def _number_text(value: Decimal, _digits: int) -> str:
    return _money_text(value, 0)


def _iso(value: date, _digits: int) -> str:
    return value.isoformat()


def _dict(value: Mapping[str, str], _digits: int) -> dict[str, str]:
    return dict(value)


def _each(one: Writer) -> Writer:
    return lambda values, digits: [one(value, digits) for value in values]


def _writes(made: type[Any], **writers: Writer) -> Writer:
    """A writer for an attrs class; a field without a writer of its own is text."""
    names = [field.name for field in attrs.fields(made)]
    values = operator.attrgetter(*names)

    def write(value: Any, digits: int) -> dict[str, Any]:
        form = dict(zip(names, values(value), strict=True))
        for name, one in writers.items():
            form[name] = one(form[name], digits)
        return form

    return write


_write_customer = _writes(Customer, identifiers=_each(_writes(Identifier)), attributes=_dict)
_write_receipt = _writes(
    Receipt,
    created=_iso,
    business_date=_iso,
    total=_money_text,
    lines=_each(
        _writes(
            Line,
            kind=lambda kind, _digits: kind.value,
            quantity=_number_text,
            paid=_money_text,
            tax_amount=_money_text,
            tax_percent=_number_text,
            discounts=_each(_writes(Discount, value=_money_text)),
            extra=_dict,
        )
    ),
    tenders=_each(_writes(Tender, amount=_money_text, extra=_dict)),
    taxes=_each(
        _writes(Tax, percent=_number_text, amount=_money_text, including_tax=_money_text, excluding_tax=_money_text)
    ),
    customer=lambda customer, digits: None if customer is None else _write_customer(customer, digits),
    vouchers=_each(lambda text, _digits: text),
    promotions=_each(_writes(Promotion)),
    flags=_each(lambda text, _digits: text),
    extra=_dict,
    raw=_writes(RawRef),
)
_encoder = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def to_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as JSON values: the model's own names, every field present."""
    form: dict[str, Any] = _write_receipt(receipt, minor_digits(receipt.currency))
    return form


def _canonical(form: object, place: str) -> bytes:
    try:
        return _encoder.encode(form).encode()
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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise LawBroken("a key stands once in an object", "", f"{twice[:40]!r} twice")
    return found


def _constant(name: str) -> Any:
    raise LawBroken("a number is finite", "", name)


_decoder = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_constant, parse_float=lambda digits: parse_decimal(digits, "")
)


def parse_json(text: str | bytes, *, place: str) -> Any:
    """JSON values, strictly: `json` alone takes duplicate keys and NaN, and its depth error is no ValueError.

    Numbers with a point come as Decimal. Raises LawBroken with the place.
    """
    try:
        return _decoder.decode(text.decode() if isinstance(text, bytes) else text)
    except LawBroken as error:
        raise _in(place, error) from None
    except UnicodeDecodeError as error:
        raise LawBroken("JSON is UTF-8", place, f"byte {error.start + 1} is not") from None
    except json.JSONDecodeError as error:
        raise LawBroken("must be JSON", place, f"{error.msg} at character {error.pos + 1}") from None
    except ValueError:  # an integer of more digits than Python reads
        raise LawBroken("a number is below 1e15", place, "too many digits") from None
    except RecursionError:
        raise LawBroken("JSON of a receipt is shallow", place, "nested too deep") from None


# A reader raises LawBroken without saying where it is: the path is put together on the way out, by those it passes,
# because nearly every value is right and its path would be made for nothing.


def _in(place: str, error: LawBroken) -> LawBroken:
    """The same, further in than `place`: a path goes on with a dot or a bracket, a law of the model with a comma."""
    inner = error.place
    if inner and not inner.startswith((".", "[", " (")):
        inner = f", {inner}"
    return LawBroken(error.law, f"{place}{inner}", error.by)


def _object(value: Any, allowed: frozenset[str], needed: frozenset[str], order: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LawBroken("must be an object", "", _kind(value))
    if value.keys() == allowed:
        return value
    for name in value:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), order, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(order)}"
            raise LawBroken("only known keys", "", f"unknown {str(name)[:40]!a}{hint}")
    for name in order:
        if name in needed and name not in value:
            raise LawBroken(f"needs the key {name!r}", "", "missing")
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return f"is {names.get(type(value), 'a number')}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise LawBroken("must be text", "", _kind(value))
    if not value.isascii() and _SURROGATE.search(value):
        raise LawBroken("text has no lone surrogates", "", "has one")
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, str):
        return parse_decimal(_text(value), "")
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise LawBroken("must be a decimal, best as text", "", _kind(value))
    return parse_decimal(str(value), "")


def _pairs(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise LawBroken("must be an object", "", _kind(value))
    for name, item in value.items():
        try:
            _text(name)
        except LawBroken as error:
            raise _in(" (a key)", error) from None
        try:
            _text(item)
        except LawBroken as error:
            raise _in(f".{name}", error) from None
    return value


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        raise LawBroken("must be an ISO 8601 time such as 2026-01-31T12:00:00+01:00", "", "cannot be read") from None
    if moment.tzinfo is None:
        raise LawBroken("the time carries its offset", "", "naive time")
    return moment


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise LawBroken("must be a date such as 2026-01-31", "", "cannot be read") from None


def _line_kind(value: Any) -> LineKind:
    kind = _KINDS.get(_text(value))
    if kind is None:
        raise LawBroken(f"must be one of {', '.join(LineKind)}", "", "another word")
    return kind


Reader = Callable[[Any], Any]


def _reads(made: type[T], **readers: Reader) -> Callable[[Any], T]:
    """A reader for an attrs class whose keys are its fields."""
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(cast(Any, made))
    order = [field.name for field in fields]
    allowed = frozenset(order)
    needed = frozenset(field.name for field in fields if field.default is attrs.NOTHING)
    make = cast(Callable[..., T], made)

    def read(value: Any) -> T:
        given = _object(value, allowed, needed, order)
        values = dict(given)
        name = ""
        try:
            for name, item in given.items():
                if name in readers:
                    values[name] = readers[name](item)
                elif type(item) is not str or not item.isascii():
                    _text(item)
        except LawBroken as error:
            raise _in(f".{name}", error) from None
        return make(**values)

    return read


def _nullable(one: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else one(value)


def _many(one: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    def read(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise LawBroken("must be a list", "", _kind(value))
        made: list[T] = []
        try:
            for item in value:
                made.append(one(item))  # noqa: PERF401 - how many were made says which one is wrong
        except LawBroken as error:
            raise _in(f"[{len(made)}]", error) from None
        return tuple(made)

    return read


_read_raw = _reads(RawRef)
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
    raw=lambda value: value if isinstance(value, RawRef) else _read_raw(value),
)


def from_json(obj: Any, *, place: str, make_id: MakeId | None = None, raw: RawRef | None = None) -> Receipt:
    """The receipt in JSON values. Raises LawBroken with the place and the path of what is wrong.

    make_id: makes the id of an object without `id` (`Context.receipt_id`); without it the id must be there.
    raw: where an object without `raw` came from.
    """
    try:
        if isinstance(obj, dict):
            if raw is not None and "raw" not in obj:
                obj = obj | {"raw": raw}
            if make_id is not None and "id" not in obj:
                obj = obj | {"id": _made_id(obj, make_id)}
        return _read_receipt(obj)
    except LawBroken as error:
        raise _in(place, error) from None


def _made_id(obj: dict[str, Any], make_id: MakeId) -> str:
    name = ""
    try:
        parts = {name: _text(obj.get(name, "")) for name in ("store", "till", "number")}
        name = "business_date"
        day = _day(obj.get(name))
    except LawBroken as error:
        raise _in(f".{name}", error) from None
    return make_id(business_date=day, **parts)


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

"""Tillpost's own JSON form of a receipt: what the journal keeps, what `receipts` reads, what people are shown.

The form is canonical: one receipt has one sequence of bytes (sorted keys, no white space, decimals as text with
at least the digits of the currency, ISO 8601 time with its offset), so the journal may checksum and compare it.
`receipt.schema.json` beside this file describes it (JSON Schema, draft 2020-12).
"""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

import attrs

from tillpost.errors import LawBroken
from tillpost.model.customer import Customer, Identifier
from tillpost.model.json_readers import (
    many,
    nullable,
    read_day,
    read_decimal,
    read_moment,
    read_pairs,
    read_text,
    reads,
    within,
)
from tillpost.model.json_values import parse_json
from tillpost.model.money import minor_digits
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender

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
    """SHA-256 (hex) over the canonical form without `raw` and `flags`: the same sale read again has the same.

    Flags tell about a reading: read a day later, a till's clock may no longer seem wrong.
    """
    form = to_json(receipt)
    del form["raw"]
    form.pop("flags", None)
    return hashlib.sha256(_canonical(form, f"receipt {receipt.id!r}")).hexdigest()


# --- reading -------------------------------------------------------------------------------------------------------


def _line_kind(value: Any) -> LineKind:
    kind = _KINDS.get(read_text(value))
    if kind is None:
        raise LawBroken(f"must be one of {', '.join(LineKind)}", "", "another word")
    return kind


_read_raw = reads(RawRef)
_read_receipt = reads(
    Receipt,
    created=read_moment,
    business_date=read_day,
    total=read_decimal,
    lines=many(
        reads(
            Line,
            kind=_line_kind,
            quantity=read_decimal,
            paid=read_decimal,
            tax_amount=read_decimal,
            tax_percent=read_decimal,
            discounts=many(reads(Discount, value=read_decimal)),
            extra=read_pairs,
        )
    ),
    tenders=many(reads(Tender, amount=read_decimal, extra=read_pairs)),
    taxes=many(
        reads(Tax, percent=read_decimal, amount=read_decimal, including_tax=read_decimal, excluding_tax=read_decimal),
    ),
    customer=nullable(reads(Customer, identifiers=many(reads(Identifier)), attributes=read_pairs)),
    vouchers=many(read_text),
    promotions=many(reads(Promotion)),
    flags=many(read_text),
    extra=read_pairs,
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
        raise within(place, error) from None


def _made_id(obj: dict[str, Any], make_id: MakeId) -> str:
    name = ""
    try:
        parts = {name: read_text(obj.get(name, "")) for name in ("store", "till", "number")}
        name = "business_date"
        day = read_day(obj.get(name))
    except LawBroken as error:
        raise within(f".{name}", error) from None
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

"""Tillpost's own JSON form of a receipt: what the journal keeps, what `receipts` reads, what people are shown.

The form is canonical: one receipt has one sequence of bytes (sorted keys, no white space, decimals as text with
at least the digits of the currency, ISO 8601 time with its offset), so the journal may checksum and compare it.
`receipt.schema.json` beside this file describes it (JSON Schema, draft 2020-12).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
from msgspec import UNSET

from tillpost.errors import InvalidValue
from tillpost.model.customer import Customer, Identifier
from tillpost.model.identity import MakeId
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
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender
from tillpost.model.receipt_form import ReceiptForm, encode, form_of
from tillpost.model.receipt_plain import plain_body, plain_record

__all__ = ["MakeId", "content_digest", "difference", "dumps", "from_json", "loads", "plain_record", "to_json"]

_KINDS = {kind.value: kind for kind in LineKind}


# --- writing -------------------------------------------------------------------------------------------------------


def to_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as JSON values: the model's own names, every field present."""
    form: dict[str, Any] = msgspec.to_builtins(form_of(receipt))
    return form


def dumps(receipt: Receipt) -> bytes:
    """The canonical bytes. Raises InvalidValue for text that UTF-8 cannot say (a lone surrogate)."""
    return receipt.written or _encoded(receipt, form_of(receipt))


def _encoded(receipt: Receipt, form: ReceiptForm) -> bytes:
    try:
        return encode(form)
    except UnicodeEncodeError:
        raise InvalidValue("text has a lone surrogate", place=f"receipt {receipt.id!r}") from None


def content_digest(receipt: Receipt) -> str:
    """SHA-256 (hex) over the canonical form without `raw` and `flags`: the same sale read again has the same.

    Flags tell about a reading: read a day later, a till's clock may no longer seem wrong.
    """
    form = form_of(receipt)
    form.raw = form.flags = UNSET
    return hashlib.sha256(_encoded(receipt, form)).hexdigest()


# --- reading -------------------------------------------------------------------------------------------------------


def _line_kind(value: Any) -> LineKind:
    kind = _KINDS.get(read_text(value))
    if kind is None:
        raise InvalidValue(f"must be one of {', '.join(LineKind)}")
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
    """The receipt in JSON values. Raises InvalidValue with the place and the path of what is wrong.

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
    except InvalidValue as error:
        raise within(place, error) from None


def _made_id(obj: dict[str, Any], make_id: MakeId) -> str:
    name = ""
    try:
        parts = {name: read_text(obj.get(name, "")) for name in ("store", "till", "number")}
        name = "business_date"
        day = read_day(obj.get(name))
    except InvalidValue as error:
        raise within(f".{name}", error) from None
    return make_id(business_date=day, **parts)


def loads(content: bytes, *, place: str = "receipt") -> Receipt:
    """The receipt in canonical (or any) JSON bytes. Raises InvalidValue."""
    return plain_body(content) or from_json(parse_json(content, place=place), place=place)


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

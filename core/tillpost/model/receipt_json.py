"""Tillpost's JSON form of a receipt: what the journal keeps, what the adapter `receipts` reads, what people are shown.

The form is canonical: one receipt has one sequence of bytes (sorted keys, no white space, decimals as text with
at least the digits of the currency, ISO 8601 time with its offset), so the journal may checksum and compare it.
`receipt.schema.json` beside this file describes it (JSON Schema, draft 2020-12).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, KeysView
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from tillpost.errors import InvalidValue
from tillpost.model.customer import Customer, Identifier
from tillpost.model.identity import MakeId
from tillpost.model.json_values import parse_json
from tillpost.model.money import decimal_text, minor_digits
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender

# --- writing -------------------------------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder(order="deterministic")  # sorts keys by their code points


def to_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as JSON values: the model's own names, every field present."""
    digits = minor_digits(receipt.currency)
    customer, raw = receipt.customer, receipt.raw
    return {
        "business_date": receipt.business_date.isoformat(),
        "created": receipt.created.isoformat(),
        "currency": receipt.currency,
        "customer": None
        if customer is None
        else {
            "attributes": {**customer.attributes},
            "identifiers": [{"kind": one.kind, "value": one.value} for one in customer.identifiers],
        },
        "extra": {**receipt.extra},
        "flags": [*receipt.flags],
        "id": receipt.id,
        "lines": [
            {
                "article_group": line.article_group,
                "article_name": line.article_name,
                "article_number": line.article_number,
                "discounts": [
                    {"description": one.description, "type": one.type, "value": decimal_text(one.value, digits)}
                    for one in line.discounts
                ],
                "extra": {**line.extra},
                "kind": line.kind.value,
                "paid": decimal_text(line.paid, digits),
                "quantity": decimal_text(line.quantity, 0),
                "sku": line.sku,
                "tax_amount": decimal_text(line.tax_amount, digits),
                "tax_percent": decimal_text(line.tax_percent, 0),
            }
            for line in receipt.lines
        ],
        "number": receipt.number,
        "promotions": [{"coupon_id": one.coupon_id, "promotion_id": one.promotion_id} for one in receipt.promotions],
        "raw": {"document": raw.document, "place": raw.place, "sha256": raw.sha256},
        "store": receipt.store,
        "taxes": [
            {
                "amount": decimal_text(tax.amount, digits),
                "description": tax.description,
                "excluding_tax": decimal_text(tax.excluding_tax, digits),
                "including_tax": decimal_text(tax.including_tax, digits),
                "percent": decimal_text(tax.percent, 0),
            }
            for tax in receipt.taxes
        ],
        "tenders": [
            {
                "amount": decimal_text(tender.amount, digits),
                "description": tender.description,
                "extra": {**tender.extra},
                "type": tender.type,
            }
            for tender in receipt.tenders
        ],
        "till": receipt.till,
        "total": decimal_text(receipt.total, digits),
        "vouchers": [*receipt.vouchers],
    }


def dumps(receipt: Receipt) -> bytes:
    """The canonical bytes. Raises InvalidValue for text that UTF-8 cannot say (a lone surrogate)."""
    return _encoded(receipt, to_json(receipt))


def content_digest(receipt: Receipt) -> str:
    """SHA-256 (hex) of the canonical form without `raw` and `flags`: the same sale read again has the same.

    Flags tell about a reading: read a day later, a till's clock may no longer seem wrong.
    """
    form = to_json(receipt)
    del form["raw"], form["flags"]
    return hashlib.sha256(_encoded(receipt, form)).hexdigest()


def _encoded(receipt: Receipt, form: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(form)
    except UnicodeEncodeError:
        raise InvalidValue("text has a lone surrogate", place=f"receipt {receipt.id!r}") from None


# --- reading -------------------------------------------------------------------------------------------------------


@attrs.frozen
class _Shape:
    """The keys of an object, and the objects or lists of objects in it."""

    keys: KeysView[str]
    below: tuple[tuple[str, _Shape], ...]


def _shape(kind: type[attrs.AttrsInstance], **below: _Shape) -> _Shape:
    return _Shape(attrs.fields_dict(kind).keys(), tuple(below.items()))


_RECEIPT = _shape(
    Receipt,
    lines=_shape(Line, discounts=_shape(Discount)),
    tenders=_shape(Tender),
    taxes=_shape(Tax),
    customer=_shape(Customer, identifiers=_shape(Identifier)),
    promotions=_shape(Promotion),
    raw=_shape(RawRef),
)
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder_of_numbers = msgspec.json.Encoder(decimal_format="number")
# msgspec inspects a type at its first use, and two threads that do so at once end the process with a signal (0.22).
# So it is inspected here, where the import lets one thread in; the decoder itself is not used.
msgspec.json.Decoder(Receipt)
# How the encoder writes a character that is to be replaced, or a backslash, after which quotes are not easily counted.
_DOUBTFUL = re.compile(rb"\\[\\ubf]|\xef\xbf[\xbe\xbf]")


def loads(content: bytes, *, place: str = "receipt") -> Receipt:
    """The receipt in canonical (or any) JSON bytes. Raises InvalidValue."""
    return _decoded(content, None, None) or from_json(parse_json(content, place=place), place=place)


def load_record(content: bytes, *, raw: RawRef, make_id: MakeId) -> Receipt | None:
    """The receipt in a till's record; None where the record has to be cleaned, or is wrong: then `from_json` reads it.

    make_id: makes the id of a record without `id`. raw: where a record without `raw` came from.
    """
    return _decoded(content, raw, make_id, clean=True)


def _decoded(content: bytes, raw: RawRef | None, make_id: MakeId | None, clean: bool = False) -> Receipt | None:
    """The receipt as msgspec's parser reads it, None where that is not certain to be what `parse_json` reads.

    It takes the last of two equal keys without an error, and it refuses control characters in a text.
    """
    try:
        value = _decoder.decode(content)
        written = _encoder_of_numbers.encode(value)
        if content != written and _quotes(content) != _quotes(written):
            return None  # a key occurs twice: what was read has fewer quotes
        if clean and (b"\\" in written or b"\xef" in written) and _DOUBTFUL.search(written):
            return None
        return _receipt(value, raw, make_id)
    except (ValueError, TypeError, RecursionError):
        return None


def _quotes(content: bytes) -> int:
    """How many quotes begin or end a text. Raises ValueError where a backslash before one may be a text's own."""
    if b"\\" not in content:
        return content.count(b'"')
    if b"\\\\" in content:
        raise ValueError
    return content.count(b'"') - content.count(b'\\"')


def from_json(value: Any, *, place: str, make_id: MakeId | None = None, raw: RawRef | None = None) -> Receipt:
    """The receipt in JSON values. Raises InvalidValue with the place and the path of what is wrong.

    make_id: makes the id of an object without `id` (`Context.receipt_id`); without it the id must be there.
    raw: where an object without `raw` came from.
    """
    try:
        _encoder.encode(value)
        return _receipt(value, raw, make_id)
    except msgspec.ValidationError as error:
        raise _located(error, value, place) from None
    except UnicodeEncodeError:
        path = next(path for path, text in _texts_of(value, place) if _SURROGATE.search(text))
        raise InvalidValue("text has a lone surrogate", place=path) from None
    except InvalidValue as error:
        raise _inside(place, error) from None
    except RecursionError:
        raise InvalidValue("nested too deep", place=place) from None


def _receipt(value: Any, raw: RawRef | None, make_id: MakeId | None) -> Receipt:
    """The receipt of a JSON value. Raises InvalidValue with the path, or msgspec.ValidationError, which has it."""
    _check_keys(_RECEIPT, value)
    if type(value) is dict:
        value = value.copy()
        if type(text := value.get("created")) is str:
            value["created"] = _time(text)
        if type(text := value.get("business_date")) is str:
            value["business_date"] = _date(text)
        if make_id is not None and "id" not in value:
            value["id"] = _made_id(value, make_id)
        if raw is not None and "raw" not in value:
            value["raw"] = raw
    return msgspec.convert(value, Receipt)


def _check_keys(shape: _Shape, value: Any) -> None:
    """Raise InvalidValue for a key the shape has not, with its path. What is no object is left to msgspec to refuse."""
    if type(value) is not dict:
        return
    if not value.keys() <= shape.keys:
        raise _unknown_key(value, shape)
    for name, below in shape.below:
        inner = value.get(name)
        index: int | None = None
        try:
            if type(inner) is list:
                for index, one in enumerate(inner):  # noqa: B007 - says which one is wrong
                    _check_keys(below, one)
            elif inner:
                _check_keys(below, inner)
        except InvalidValue as error:
            raise error.at(f".{name}{'' if index is None else f'[{index}]'}{error.place}") from None


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fault = f"not an ISO 8601 time such as 2026-01-31T12:00:00+01:00: {text[:40]!a}"
        raise InvalidValue(fault, place=".created") from None
    if moment.tzinfo is None:
        raise InvalidValue(f"the time has no offset: {text[:40]!a}", place=".created")
    return moment


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fault = f"not an ISO 8601 date such as 2026-01-31: {text[:40]!a}"
        raise InvalidValue(fault, place=".business_date") from None


def _made_id(values: dict[str, Any], make_id: MakeId) -> str:
    day, parts = values.get("business_date"), {name: values.get(name, "") for name in ("store", "till", "number")}
    if isinstance(day, date) and all(isinstance(part, str) for part in parts.values()):
        return make_id(business_date=day, **parts)
    return ""  # msgspec says what is wrong with the parts


# --- what is wrong -------------------------------------------------------------------------------------------------

_SURROGATE = re.compile("[\ud800-\udfff]")
_ERROR = re.compile(r"(?P<fault>.*?)( - at `\$(?P<path>.*)`)?", re.S)
_EXPECTED = re.compile("Expected `(.*)`, got `(.*)`")
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "date": "text",
    "datetime": "text",
    "decimal": "a decimal as text",
    "null": "null",
    "object": "an object",
    "str": "text",
}


def _unknown_key(value: dict[str, Any], shape: _Shape) -> InvalidValue:
    name = next(name for name in value if name not in shape.keys)
    near = difflib.get_close_matches(str(name), shape.keys, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(shape.keys)}"
    return InvalidValue(f"unknown key {str(name)[:40]!a}; {hint}")


def _located(error: msgspec.ValidationError, value: Any, place: str) -> InvalidValue:
    """msgspec's error in our words, with the path it names."""
    found = _ERROR.fullmatch(str(error))
    assert found is not None
    fault, path, cause = found["fault"], found["path"] or "", error.__cause__
    if isinstance(cause, InvalidValue):
        return _inside(f"{place}{path}", cause)
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        value = value[name or int(index)]
    if path.endswith("[...]"):  # an object of texts
        name = next(name for name in value if not isinstance(value[name], str))
        path = f"{path.removesuffix('[...]')}.{name}"
    if fault == "Invalid decimal string":
        fault = f"not a number: {value[:40]!a}"
    elif kinds := _EXPECTED.fullmatch(fault):
        wanted = " or ".join(_WORDS[kind] for kind in kinds[1].split(" | "))
        fault = f"must be {wanted}, and is {_WORDS.get(kinds[2], 'a number')}"
    elif fault.startswith("Invalid enum value"):
        fault = f"must be one of {', '.join(LineKind)}, and is {value[:40]!a}"
    else:
        fault = re.sub("Object missing required field `(.*)`", r"key '\1' is missing", fault)
    return InvalidValue(fault, place=f"{place}{path}")


def _inside(place: str, error: InvalidValue) -> InvalidValue:
    """The same further in: a path goes on with a dot or bracket, another place with a comma."""
    return error.at(f"{place}{'' if error.place[:1] in '.[' else ', '}{error.place}")


def _texts_of(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text of a JSON value, keys included, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield f"{path} (a key)", name
            yield from _texts_of(one, f"{path}.{name}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _texts_of(one, f"{path}[{index}]")


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

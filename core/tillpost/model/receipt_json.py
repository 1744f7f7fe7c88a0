"""Tillpost's JSON form of a receipt: what the journal keeps, what the adapter `receipts` reads, what people are shown.

The form is canonical: one receipt has one sequence of bytes (sorted keys, no white space, decimals as text with
at least the digits of the currency, ISO 8601 time with its offset), so the journal may checksum and compare it.
`receipt.schema.json` beside this file describes it (JSON Schema, draft 2020-12).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from tillpost.errors import InvalidValue
from tillpost.model.customer import Customer, Identifier, normalize_identifier
from tillpost.model.identity import MakeId
from tillpost.model.json_values import parse_json
from tillpost.model.money import OUT_OF_BOUNDS, checked, decimal_text, is_in_bounds, minor_digits
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender

# --- writing -------------------------------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder(order="deterministic")  # sorts keys by their code points


class _Canonical(dict[str | Decimal, Decimal]):
    """Amount, or its usual text, → the amount with its canonical digits. Most repeat from receipt to receipt."""

    MOST = 10_000

    def __init__(self, least_digits: int) -> None:
        super().__init__()
        self._least_digits = least_digits

    def __missing__(self, given: str | Decimal) -> Decimal:
        if isinstance(given, str) and not _USUAL.fullmatch(given):
            raise ValueError("left to the strict parser")
        value = Decimal(given)
        if not is_in_bounds(value):  # the model refuses it; written out, 1e-999999999 would be a gigabyte
            return value
        if len(self) >= self.MOST:
            self.clear()
        self[given] = canonical = Decimal(decimal_text(value, self._least_digits))
        return canonical


_USUAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")
_SIGNALING = re.compile(r"\s*[-+]?snan", re.IGNORECASE)
_canonical = {digits: _Canonical(digits) for digits in (0, 2, 3, 4)}
"""By the digits of currencies."""


def _values(receipt: Receipt) -> dict[str, Any]:
    """Every field in canonical order, amounts with their canonical digits."""
    money, number = _canonical[minor_digits(receipt.currency)], _canonical[0]
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
                    {"description": one.description, "type": one.type, "value": money[one.value]}
                    for one in line.discounts
                ],
                "extra": {**line.extra},
                "kind": line.kind,
                "paid": money[line.paid],
                "quantity": number[line.quantity],
                "sku": line.sku,
                "tax_amount": money[line.tax_amount],
                "tax_percent": number[line.tax_percent],
            }
            for line in receipt.lines
        ],
        "number": receipt.number,
        "promotions": [{"coupon_id": one.coupon_id, "promotion_id": one.promotion_id} for one in receipt.promotions],
        "raw": {"document": raw.document, "place": raw.place, "sha256": raw.sha256},
        "store": receipt.store,
        "taxes": [
            {
                "amount": money[tax.amount],
                "description": tax.description,
                "excluding_tax": money[tax.excluding_tax],
                "including_tax": money[tax.including_tax],
                "percent": number[tax.percent],
            }
            for tax in receipt.taxes
        ],
        "tenders": [
            {
                "amount": money[tender.amount],
                "description": tender.description,
                "extra": {**tender.extra},
                "type": tender.type,
            }
            for tender in receipt.tenders
        ],
        "till": receipt.till,
        "total": money[receipt.total],
        "vouchers": [*receipt.vouchers],
    }


def to_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as JSON values: the model's own names, every field present."""
    values: dict[str, Any] = msgspec.to_builtins(_values(receipt))
    return values


def dumps(receipt: Receipt) -> bytes:
    """The canonical bytes. Raises InvalidValue for text that UTF-8 cannot say (a lone surrogate)."""
    return receipt.written or _encoded(receipt, _values(receipt))


def content_digest(receipt: Receipt) -> str:
    """SHA-256 (hex) of the canonical form without `raw` and `flags`: the same sale read again has the same.

    Flags tell about a reading: read a day later, a till's clock may no longer seem wrong.
    """
    form = _values(receipt)
    del form["raw"], form["flags"]
    return hashlib.sha256(_encoded(receipt, form)).hexdigest()


_FIELDS = [field.name for field in attrs.fields(Receipt)]


def with_flags(receipt: Receipt, flags: tuple[str, ...]) -> Receipt:
    """The receipt with these flags in place of its own. Raises InvalidValue for flags that are no text.

    Its other fields, which are right, are neither checked nor written again: that was a quarter of accepting it.
    """
    if any(type(flag) is not str for flag in flags):
        return attrs.evolve(receipt, flags=flags)  # taken or refused by their types
    flagged = object.__new__(Receipt)
    for name in _FIELDS:
        object.__setattr__(flagged, name, getattr(receipt, name))
    object.__setattr__(flagged, "flags", flags)
    if receipt.written:  # no other key has this name and a list, and in a text the quotes have backslashes
        own, new = (_encoded(receipt, {"flags": [*each]})[1:-1] for each in (receipt.flags, flags))
        object.__setattr__(flagged, "written", receipt.written.replace(own, new, 1))
    return flagged


def _encoded(receipt: Receipt, form: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(form)
    except UnicodeEncodeError:
        raise InvalidValue("text has a lone surrogate", place=f"receipt {receipt.id!r}") from None


# --- reading -------------------------------------------------------------------------------------------------------

_ZERO = Decimal(0)
_forms: dict[tuple[type, type], Any] = {}


def _form(kind: Any, amount: type) -> Any:
    """The type msgspec reads a value of this type as: of an object its keys in canonical order, each with its type.

    A key that may be omitted is UNSET then, so that what was read can be told from what is meant.
    amount: the type of a decimal; text alone is read fastest.
    """
    origin, of = get_origin(kind), get_args(kind)
    if origin is tuple:
        return list[_form(of[0], amount)]  # type: ignore[misc]
    if origin is Mapping:
        return dict[str, str]
    if origin is UnionType:
        return Union[tuple(None if one is type(None) else _form(one, amount) for one in of)]  # noqa: UP007 - of a list
    if kind in (date, datetime):
        return str
    if kind is Decimal:
        return amount
    if not attrs.has(kind):
        return kind
    if (kind, amount) not in _forms:
        types = get_type_hints(kind)
        keys: list[Any] = []
        for field in sorted((field for field in attrs.fields(kind) if field.init), key=lambda field: field.name):
            form = _form(types[field.name], amount)
            required = field.default is attrs.NOTHING and field.name not in ("id", "raw")
            keys.append((field.name, form) if required else (field.name, form | UnsetType, UNSET))
        name = kind.__name__
        _forms[kind, amount] = msgspec.defstruct(name, keys, forbid_unknown_fields=True, gc=False, kw_only=True)
    return _forms[kind, amount]


# msgspec inspects a type at its first use, and two threads that do so at once end the process with a signal (0.22).
# So all are inspected here, where the import lets one thread in; the decoder of receipts itself is not used.
_decoder = msgspec.json.Decoder(_form(Receipt, str))
_STRICT = _form(Receipt, Decimal)
_RAW = _form(RawRef, Decimal)
for _kind in (_STRICT, Receipt):
    msgspec.json.Decoder(_kind)
# How the encoder writes a character that is to be replaced, or a backslash, after which quotes are not easily counted.
_DOUBTFUL = re.compile(rb"\\[\\ubf]|\xef\xbf[\xbe\xbf]")


def loads(content: bytes, *, place: str = "receipt") -> Receipt:
    """The receipt in canonical (or any) JSON bytes. Raises InvalidValue."""
    return _quickly(content, None, None) or from_json(parse_json(content, place=place), place=place)


def load_record(content: bytes, *, raw: RawRef, make_id: MakeId) -> Receipt | None:
    """The receipt in a till's record; None where the record has to be cleaned, or is wrong: then `from_json` reads it.

    make_id: makes the id of a record without `id`. raw: where a record without `raw` came from.
    """
    return _quickly(content, raw, make_id)


def _quickly(content: bytes, raw: RawRef | None, make_id: MakeId | None) -> Receipt | None:
    """The receipt as msgspec's parser reads it, None where that is not certain to be what `parse_json` reads.

    It takes the last of two equal keys without an error, and it refuses control characters in a text.
    """
    try:
        form = _decoder.decode(content)
        written = _encoder.encode(form)
        if content != written and _quotes(content) != _quotes(written):
            return None  # a key occurs twice: what was read has fewer quotes
        if raw is not None and (b"\\" in written or b"\xef" in written) and _DOUBTFUL.search(written):
            return None
        is_own = raw is None and content == written
        _complete(form, raw, make_id)
        written = content if is_own else _encoder.encode(form)
        checked.by_codec = (
            True  # a text that is _USUAL is in bounds; 40 checks a receipt cost 5 % of accepting, half of `loads`
        )
        try:
            return _receipt(form, written)
        finally:
            checked.by_codec = False
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
        form = msgspec.convert(value, _STRICT)
        _complete(form, raw, make_id)
        return _receipt(form)
    except msgspec.ValidationError as error:
        raise _located(error, value, place) from None
    except UnicodeEncodeError:
        path = next(path for path, text in _texts_of(value, place) if _SURROGATE.search(text))
        raise InvalidValue("text has a lone surrogate", place=path) from None
    except InvalidValue as error:
        raise _inside(place, error) from None
    except RecursionError:
        raise InvalidValue("nested too deep", place=place) from None
    except TypeError:  # a Decimal that is a signaling NaN has no hash, and so no place in a table of amounts
        path = next((path for path, text in _texts_of(value, place) if _SIGNALING.match(text)), "")
        if not path:
            raise
        raise InvalidValue(OUT_OF_BOUNDS, place=path) from None


def _complete(form: Any, raw: RawRef | None, make_id: MakeId | None) -> None:
    """Set every key that was omitted, and every amount, time and identifier to its canonical form.

    Raises InvalidValue with the path.
    """
    created, day = _time(form.created), _date(form.business_date)
    form.created, form.business_date = created.isoformat(), day.isoformat()
    if form.id is UNSET:
        if make_id is None:
            raise InvalidValue("key 'id' is missing")
        form.id = make_id(store=form.store, till=form.till, business_date=day, number=form.number)
    if form.raw is UNSET:
        if raw is None:
            raise InvalidValue("key 'raw' is missing")
        form.raw = _RAW(document=raw.document, place=raw.place, sha256=raw.sha256)
    form.raw.place = form.raw.place or ""
    money, number = _canonical[minor_digits(form.currency)], _canonical[0]
    zero = money[_ZERO]
    form.total = money[form.total]
    form.customer = form.customer or None
    form.extra, form.flags, form.vouchers = form.extra or {}, form.flags or [], form.vouchers or []
    form.promotions, form.taxes = form.promotions or [], form.taxes or []
    for line in form.lines:
        line.paid, line.quantity = money[line.paid], number[line.quantity]
        line.tax_amount = money[line.tax_amount] if line.tax_amount else zero
        line.tax_percent = number[line.tax_percent] if line.tax_percent else _ZERO
        line.article_group, line.article_name = line.article_group or "", line.article_name or ""
        line.article_number, line.extra = line.article_number or "", line.extra or {}
        line.discounts = line.discounts or []
        for discount in line.discounts:
            discount.value, discount.description = money[discount.value], discount.description or ""
    for tender in form.tenders:
        tender.amount = money[tender.amount]
        tender.description, tender.extra = tender.description or "", tender.extra or {}
    for tax in form.taxes:
        tax.amount, tax.percent = money[tax.amount], number[tax.percent]
        tax.including_tax, tax.excluding_tax = money[tax.including_tax], money[tax.excluding_tax]
    for promotion in form.promotions:
        promotion.coupon_id, promotion.promotion_id = promotion.coupon_id or "", promotion.promotion_id or ""
    if form.customer:
        form.customer.attributes = {name: text for name, text in (form.customer.attributes or {}).items() if text}
        form.customer.identifiers = form.customer.identifiers or []
        for one in form.customer.identifiers:
            one.value = normalize_identifier(one.kind, one.value)


def _receipt(form: Any, written: bytes = b"") -> Receipt:
    """The receipt of a complete form. written: its canonical bytes, where they are at hand."""
    form.created, form.business_date = datetime.fromisoformat(form.created), date.fromisoformat(form.business_date)
    receipt = msgspec.convert(form, Receipt, from_attributes=True)
    object.__setattr__(receipt, "written", written)
    return receipt


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


# --- what is wrong -------------------------------------------------------------------------------------------------

_SURROGATE = re.compile("[\ud800-\udfff]")
_ERROR = re.compile(r"(?P<fault>.*?)( - at `\$(?P<path>.*)`)?", re.S)
_EXPECTED = re.compile("Expected `(.*)`, got `(.*)`")
_UNKNOWN = re.compile("Object contains unknown field `(.*)`", re.S)
_KINDS: dict[str, type[attrs.AttrsInstance]] = {
    "": Receipt, ".lines": Line, ".lines.discounts": Discount, ".tenders": Tender, ".taxes": Tax, ".customer": Customer,
    ".customer.identifiers": Identifier, ".promotions": Promotion, ".raw": RawRef,
}  # fmt: skip
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
    elif unknown := _UNKNOWN.fullmatch(fault):
        keys = [field.name for field in attrs.fields(_KINDS[re.sub(r"\[\d+\]", "", path)]) if field.init]
        near = difflib.get_close_matches(unknown[1], keys, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(keys)}"
        fault = f"unknown key {unknown[1][:40]!a}; {hint}"
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

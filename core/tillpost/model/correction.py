"""A receipt with other values, and the return of a whole receipt: what a person sends in its place."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.customer import IDENTIFIER_KINDS
from tillpost.model.json_values import parse_json
from tillpost.model.receipt import Line, LineKind, RawRef, Receipt
from tillpost.model.receipt_json import dumps, from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tillpost.model.document import Document
    from tillpost.model.identity import MakeId

_PART = re.compile(r"[^.\[\]]+")
_FIXED = ("id", "raw")
_PLACE = "the correction"


def corrected(
    before: Receipt | None,
    given: bytes | None,
    values: Mapping[str, str],
    document: Document,
    place: str,
    make_id: MakeId,
) -> Receipt:
    """The receipt `given` as JSON, or `before`, with these values set. Raises InvalidValue with the path.

    A path names a key of the JSON form (`store`, `lines[0].sku`, `extra.note`); `customer.email` and the other kinds
    set an identifier, any other key of `customer` an attribute. document, place: where the till wrote it.
    """
    form = parse_json(given if given is not None else dumps(before) if before is not None else b"", place=_PLACE)
    if not isinstance(form, dict):
        raise InvalidValue("must be one JSON object", place=_PLACE)
    for path, value in values.items():
        _set(form, path, value)
    form.pop("raw", None)
    raw = before.raw if before else RawRef(sha256=document.sha256, document=document.name, place=place)
    return from_json(form, place=_PLACE, make_id=make_id, raw=raw)


def reversal(sold: Receipt, receipt_id: str, at: datetime) -> Receipt:
    """The return of all of a receipt, at the prices that were paid. at: when it is returned."""
    return attrs.evolve(
        sold,
        id=receipt_id,
        created=at.replace(microsecond=0),
        business_date=at.date(),
        total=-sold.total,
        lines=tuple(map(_reversed, sold.lines)),
        tenders=tuple(attrs.evolve(tender, amount=-tender.amount) for tender in sold.tenders),
        taxes=tuple(
            attrs.evolve(tax, amount=-tax.amount, including_tax=-tax.including_tax, excluding_tax=-tax.excluding_tax)
            for tax in sold.taxes
        ),
        vouchers=(),
        promotions=(),
        flags=(),
    )


_OPPOSITE = {LineKind.PURCHASE: LineKind.RETURN, LineKind.RETURN: LineKind.PURCHASE}


def _reversed(line: Line) -> Line:
    kind = _OPPOSITE.get(line.kind, line.kind) if line.quantity else LineKind.ADJUSTMENT
    return attrs.evolve(
        line, kind=kind, quantity=-line.quantity, paid=-line.paid, tax_amount=-line.tax_amount, discounts=()
    )


def _set(form: dict[str, Any], path: str, value: str) -> None:
    parts = _PART.findall(path)
    if not parts or parts[0] in _FIXED:
        raise InvalidValue("cannot be set: it names the receipt and its record" if parts else "is no path", place=path)
    if parts[0] == "customer" and len(parts) == 2:
        _set_customer(form, parts[1], value)
        return
    at: Any = form
    for part in parts[:-1]:
        at = _inside(at, part, path)
    if isinstance(at, list):
        raise InvalidValue("names an item; name one of its values", place=path)
    if not isinstance(at, dict) or (at is form and parts[-1] not in form):
        raise InvalidValue("is not there", place=path)
    if isinstance(at.get(parts[-1]), dict | list):
        raise InvalidValue("is not one value; name a value in it, or use --from FILE", place=path)
    at[parts[-1]] = value


def _inside(at: Any, part: str, path: str) -> Any:
    if isinstance(at, list) and part.isdigit() and int(part) < len(at):
        return at[int(part)]
    if isinstance(at, dict) and part in at:
        return at[part]
    raise InvalidValue("is not there", place=path)


def _set_customer(form: dict[str, Any], name: str, value: str) -> None:
    customer = form.get("customer") or {"attributes": {}, "identifiers": []}
    form["customer"] = customer
    if name not in IDENTIFIER_KINDS:
        customer["attributes"] = {**customer.get("attributes", {}), name: value}
        return
    others = [one for one in customer.get("identifiers", []) if one.get("kind") != name]
    customer["identifiers"] = [*others, {"kind": name, "value": value}] if value else others

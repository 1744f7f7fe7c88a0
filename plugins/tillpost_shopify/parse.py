"""From files and webhook bodies to receipts, one order or refund at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from tillpost import InvalidValue
from tillpost.kit import (
    CONTROL_CHARACTERS,
    JsonObject,
    JsonRecord,
    MakeId,
    json_records,
    parse_clean_json,
    read_record,
    voided_id,
)
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_shopify.order import CANCELLED, own_id, read_order, skip_reason
from tillpost_shopify.refund import read_refund, refund_skip_reason
from tillpost_shopify.settings import Settings


@attrs.frozen
class _Entry:
    """One order or refund of a record: its body, its own bytes, why it is skipped, its id and its receipt."""

    body: JsonObject
    raw: bytes
    skip_reason: Callable[[], str]
    own_id: Callable[[], str]
    read: Callable[[RawRef], Receipt]


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every order, and every refund (its own, or inside its order), as Found, NoReceipt or Broken.

    A refund is a receipt of its own. Raises DocumentError for UTF-16, for more bytes than `largest`, and where a file
    ends being JSON.
    """
    for record in json_records(document, largest=settings.largest, lists=("orders",)):
        yield from _parse_record(record, document, settings, make_id)


def _parse_record(record: JsonRecord, document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    try:
        form, removed = parse_clean_json(record.content, place=record.place)
        entries = list(_entries(form, record, settings, make_id))
    except (InvalidValue, RecursionError) as error:
        reason = str(error) if isinstance(error, InvalidValue) else f"{record.place}: nested too deep"
        yield Broken(reason=reason, place=record.place, raw=record.content)
        return
    for entry in entries:
        yield _parse_entry(entry, document, (CONTROL_CHARACTERS,) if removed else ())


def _parse_entry(entry: _Entry, document: Document, flags: tuple[str, ...]) -> Parsed:
    place = entry.body.place

    def read(source: RawRef) -> Receipt | NoReceipt:
        number = entry.body.text("id", "")
        if reason := entry.skip_reason():
            voids = voided_id(entry.own_id) if reason == CANCELLED else ""
            return NoReceipt(reason=reason, place=place, retail=True, number=number, voids=voids, final=True)
        return entry.read(source)

    number, store = (entry.body.text_or_empty(name) for name in ("id", "location_id"))
    return read_record(read, document, place, entry.raw, number=number, store=store, flags=flags)


def _entries(form: Any, record: JsonRecord, settings: Settings, make_id: MakeId) -> Iterator[_Entry]:
    """The orders and refunds of a record: an order, a refund, or several refunds, each bare or under its name."""
    body = JsonObject.of(form, record.place)
    if body.has("refund"):
        refund = body.object("refund")
        assert refund is not None
        yield _refund(refund, body.object("order"), record.content, settings, make_id)
    elif body.has("order"):
        order = body.object("order")
        assert order is not None
        yield from _order(order, record.content, settings, make_id)
    elif "refund_line_items" in form or (body.has("order_id") and "order_adjustments" in form):
        yield _refund(body, None, record.content, settings, make_id)
    elif "refunds" in form and not body.has("id"):
        for refund in body.objects("refunds"):
            yield _refund(refund, None, _serialized({"refund": refund.values}), settings, make_id)
    elif "line_items" in form or body.has("financial_status"):
        yield from _order(body, record.content, settings, make_id)
    else:
        raise InvalidValue("is neither an order nor a refund", place=record.place)


def _order(order: JsonObject, raw: bytes, settings: Settings, make_id: MakeId) -> Iterator[_Entry]:
    yield _Entry(
        order,
        raw,
        lambda: skip_reason(order, settings),
        lambda: own_id(order, settings, make_id),
        lambda source: read_order(order, source, settings, make_id),
    )
    if not isinstance(order.values.get("refunds", []), list):
        return  # reading the order raises it
    context = {name: value for name, value in order.values.items() if name not in ("refunds", "line_items")}
    for refund in order.objects("refunds"):
        yield _refund(refund, order, _serialized({"refund": refund.values, "order": context}), settings, make_id)


def _refund(refund: JsonObject, order: JsonObject | None, raw: bytes, settings: Settings, make_id: MakeId) -> _Entry:
    return _Entry(
        refund,
        raw,
        lambda: refund_skip_reason(refund, order, settings),
        lambda: "",
        lambda source: read_refund(refund, order, source, settings, make_id),
    )


def _serialized(form: Any) -> bytes:
    """Values as a JSON document; decimals as text, which is read alike."""
    return json.dumps(form, ensure_ascii=False, default=str).encode()

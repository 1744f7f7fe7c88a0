"""From files and webhook bodies to receipts, one order or refund at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs

from tillpost import DocumentError, InvalidValue
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
from tillpost_shopify.edits import exchanged_for_money
from tillpost_shopify.graphql import as_rest, graphql_records, is_graphql
from tillpost_shopify.money import Money
from tillpost_shopify.order import CANCELLED, order_lines, own_id, read_order, skip_reason
from tillpost_shopify.refund import read_refund, refund_skip_reason
from tillpost_shopify.settings import Settings

_BULK_ORDER = re.compile(rb'"id"\s*:\s*"gid://shopify/Order/')
EDIT_NOTICE = "notice of an edit (orders/edited), which has no amounts: orders/updated has the order"


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
    records = json_records(document, largest=settings.largest, lists=("orders",))
    for record in _joined(records, document.name, settings.largest):
        yield from _parse_record(record, document, settings, make_id)


def _joined(records: Iterator[JsonRecord], name: str, largest: int) -> Iterator[JsonRecord]:
    """The records, with the lines of a bulk operation of the GraphQL API behind its order as one."""
    order: JsonRecord | None = None
    children: list[bytes] = []
    size = 0
    try:
        for record in records:
            if order is not None and b'"__parentId"' in record.content:
                children.append(record.content)
                size += len(record.content)
                if size > largest:
                    raise DocumentError(
                        f"an order with its lines is larger than {largest} bytes; raise `largest`",
                        f"{name}, {order.place}",
                    )
                continue
            if order is not None:
                yield _with_children(order, children)
                order, children, size = None, [], 0
            if b'"gid://shopify/Order/' in record.content and _BULK_ORDER.search(record.content):
                order = record
            else:
                yield record
    except DocumentError:
        if order is not None and size <= largest:
            yield _with_children(order, children)
        raise
    if order is not None:
        yield _with_children(order, children)


def _with_children(order: JsonRecord, children: list[bytes]) -> JsonRecord:
    if not children:
        return order
    return JsonRecord(b'{"bulk": ' + order.content + b', "children": [' + b", ".join(children) + b"]}", order.place)


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
    if is_graphql(form):
        for node, is_refund in graphql_records(form, record.place):
            yield from _of_node(node, record.place, settings, make_id, is_refund=is_refund)
    elif body.has("refund"):
        refund = body.object("refund")
        assert refund is not None
        yield _refund(refund, body.object("order"), record.content, settings, make_id)
    elif body.has("order"):
        order = body.object("order")
        assert order is not None
        yield from _order(order, record.content, settings, make_id)
    elif "refund_line_items" in form or (body.has("order_id") and "order_adjustments" in form):
        yield _refund(body, None, record.content, settings, make_id)
    elif "refunds" in form and not (body.has("id") or "line_items" in form or "financial_status" in form):
        for refund in body.objects("refunds"):
            yield _refund(refund, None, _serialized({"refund": refund.values}), settings, make_id)
    elif "line_items" in form or body.has("financial_status"):
        yield from _order(body, record.content, settings, make_id)
    elif body.has("order_edit"):
        edit = body.object("order_edit") or body
        yield _Entry(edit, record.content, lambda: EDIT_NOTICE, lambda: "", _unread)
    elif (payload := body.object_or_empty("detail").object("payload")) is not None:
        yield from _entries(payload.values, record, settings, make_id)  # by way of Amazon EventBridge
    else:
        raise InvalidValue("is neither an order nor a refund", place=record.place)


def _unread(source: RawRef) -> Receipt:
    raise InvalidValue("has no amounts", place=source.place)


def _of_node(
    node: dict[str, Any], place: str, settings: Settings, make_id: MakeId, *, is_refund: bool
) -> Iterator[_Entry]:
    """The entries of an order or a refund of the GraphQL API; one that cannot be read takes no other with it."""
    try:
        body = JsonObject(as_rest(node, place, refund=is_refund), place)
    except InvalidValue as error:
        fault = error

        def skip_reason() -> str:
            raise fault

        raw = _serialized({"data": {"orders": [node]}})
        yield _Entry(JsonObject(node, place), raw, skip_reason, lambda: "", _unread)
        return
    if is_refund:
        yield _refund(body, None, _serialized({"refund": body.values}), settings, make_id)
    else:
        yield from _order(body, _serialized({"order": body.values}), settings, make_id)


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
    refunds = order.objects("refunds")
    exchanged = _exchanged(order, settings) if refunds else {}
    context = {name: value for name, value in order.values.items() if name not in ("refunds", "line_items")}
    for refund in refunds:
        # The lines of the order that are the refund's; others would be read with it.
        own = exchanged.get(refund.text_or_empty("id"), [])
        around = context | {"line_items": own} if own else context
        raw = _serialized({"refund": refund.values, "order": around})
        yield _refund(refund, JsonObject(around, order.place), raw, settings, make_id)


def _exchanged(order: JsonObject, settings: Settings) -> dict[str, list[Any]]:
    """By the id of a refund the line items that were taken in exchange; empty where reading the order raises why."""
    try:
        money = Money.of_order(order, settings)
        found = exchanged_for_money(order, lambda: order_lines(order, money), money)
        items = {item.text("id", ""): item.values for item in order.objects("line_items")}
        return {refund: [items[draft.item] for draft in drafts] for refund, drafts in found.items()}
    except (InvalidValue, ArithmeticError):
        return {}


def _refund(refund: JsonObject, order: JsonObject | None, raw: bytes, settings: Settings, make_id: MakeId) -> _Entry:
    return _Entry(
        refund,
        raw,
        lambda: refund_skip_reason(refund, order, settings),
        lambda: "",
        lambda source: read_refund(refund, order, source, settings, make_id),
    )


def _serialized(form: Any) -> bytes:
    """Values as a JSON document; a number stays one where a float has all its digits."""
    return json.dumps(form, ensure_ascii=False, default=_number).encode()


def _number(value: Any) -> float | str:
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)

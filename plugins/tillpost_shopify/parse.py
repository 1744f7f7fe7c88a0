"""From files and webhook bodies to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from tillpost import InvalidValue
from tillpost.kit import CONTROL_CHARACTERS, JsonObject, JsonRecord, MakeId, json_records, parse_clean_json
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed, RawRef, Receipt
from tillpost_shopify.order import no_sale, read_order
from tillpost_shopify.refund import no_refund, read_refund
from tillpost_shopify.settings import Settings


@attrs.frozen
class _Entry:
    """One order or refund of a record: how it is told to be no sale, how it is read, and its own bytes."""

    body: JsonObject
    raw: bytes
    why_not: Callable[[], str]
    read: Callable[[RawRef], Receipt]


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every order, and every refund (its own, or inside its order), as Found, NoReceipt or Broken.

    Raises DocumentError for UTF-16, for more bytes than `largest`, and where a file ends being JSON.
    """
    for record in json_records(document, largest=settings.largest, lists=("orders",)):
        yield from _parsed(record, document, settings, make_id)


def _parsed(record: JsonRecord, document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    try:
        form, taken = parse_clean_json(record.content, place=record.place)
        entries = list(_entries(form, record, settings, make_id))
    except (InvalidValue, RecursionError) as error:
        reason = str(error) if isinstance(error, InvalidValue) else f"{record.place}: nested too deep"
        yield Broken(reason=reason, place=record.place, raw=record.content)
        return
    for entry in entries:
        place = entry.body.place
        number = store = ""
        try:
            number, store = entry.body.text("id", ""), entry.body.text("location_id", "")
            if why := entry.why_not():
                yield NoReceipt(reason=why, place=place, retail=True, number=number)
                continue
            receipt = entry.read(RawRef(sha256=document.sha256, document=document.name, place=place))
            if taken:
                receipt = attrs.evolve(receipt, flags=(*receipt.flags, CONTROL_CHARACTERS))
            yield Found(receipt=receipt, raw=entry.raw)
            continue
        except InvalidValue as error:
            reason = str(error) if error.place.startswith(record.place) else f"{place}: {error}"
        except ArithmeticError:  # amounts each in bounds whose product is not
            reason = f"{place}: amounts cannot be reckoned with (more digits than decimals hold)"
        yield Broken(reason=reason, place=place, raw=entry.raw, number=number, store=store)


def _entries(form: Any, record: JsonRecord, settings: Settings, make_id: MakeId) -> Iterator[_Entry]:
    """What a record holds: an order, a refund, several refunds, each bare or by its name."""
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
            yield _refund(refund, None, _written({"refund": refund.values}), settings, make_id)
    elif "line_items" in form or body.has("financial_status"):
        yield from _order(body, record.content, settings, make_id)
    else:
        raise InvalidValue("is neither an order nor a refund", place=record.place)


def _order(order: JsonObject, raw: bytes, settings: Settings, make_id: MakeId) -> Iterator[_Entry]:
    yield _Entry(
        order, raw, lambda: no_sale(order, settings), lambda source: read_order(order, source, settings, make_id)
    )
    if not isinstance(order.values.get("refunds", []), list):
        return  # the order itself says so
    context = {name: value for name, value in order.values.items() if name not in ("refunds", "line_items")}
    for refund in order.objects("refunds"):
        yield _refund(refund, order, _written({"refund": refund.values, "order": context}), settings, make_id)


def _refund(refund: JsonObject, order: JsonObject | None, raw: bytes, settings: Settings, make_id: MakeId) -> _Entry:
    return _Entry(
        refund,
        raw,
        lambda: no_refund(refund, order, settings),
        lambda source: read_refund(refund, order, source, settings, make_id),
    )


def _written(form: Any) -> bytes:
    """Values as a document of their own; decimals as text, which reads the same."""
    return json.dumps(form, ensure_ascii=False, default=str).encode()

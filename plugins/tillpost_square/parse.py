"""From answers of Square to receipts, one order at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tillpost import InvalidValue
from tillpost.kit import (
    CONTROL_CHARACTERS,
    ZERO,
    JsonObject,
    JsonRecord,
    MakeId,
    json_records,
    parse_clean_json,
    read_record,
    voided_id,
)
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_square.money import money
from tillpost_square.order import Order
from tillpost_square.settings import Settings

_BESIDE = ("payments", "refunds")
_ANSWERS = ("order", "orders", "order_entries", "payment", "payments", "refund", "refunds", "cursor")
_ORDER_KEYS = ("line_items", "returns", "tenders", "location_id")


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every order as Found, NoReceipt or Broken; a document has one answer, one a line, or a list of them.

    Raises DocumentError for UTF-16, for an answer of more than `largest` bytes, and where one over many lines ends
    being JSON.
    """
    for record in json_records(document, largest=settings.largest):
        yield from _parse_answer(record, document, settings, make_id)


def _parse_answer(record: JsonRecord, document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    try:
        form, removed = parse_clean_json(record.content, place=record.place)
        given = JsonObject.of(form, record.place)
        if event := _other_event(given):
            yield NoReceipt(reason=f"event {event[:40]!a}, not an order", place=record.place, retail=False)
            return
        answer = _unwrapped(given)
        order = answer.object("order")
        orders = answer.objects("orders") if order is None else [order]
        if not orders:
            yield NoReceipt(reason=_reason(answer), place=record.place, retail=_holds_money(answer))
            return
    except InvalidValue as error:
        yield Broken(reason=str(error), place=record.place, raw=record.content)
        return
    flags = (CONTROL_CHARACTERS,) if removed else ()
    for order in orders:
        raw = record.content if len(orders) == 1 else _alone(order, answer)
        yield _parse_order(Order(order, answer, settings), raw, flags, document, make_id)


def _other_event(answer: JsonObject) -> str:
    """The type of an event that is about no order, payment or refund, such as Square's test of a webhook; else ""."""
    kind, data = answer.values.get("type"), answer.values.get("data")
    if not isinstance(kind, str) or not isinstance(data, dict) or kind.startswith("order."):
        return ""
    about = data.get("object") or {}
    if not isinstance(about, dict) or any(
        name in (*_ANSWERS, *_ORDER_KEYS) or name.startswith("order_") for name in about
    ):
        return ""
    return kind


def _unwrapped(answer: JsonObject) -> JsonObject:
    """An answer: itself, the object of an event, or a bare order, payment or refund as the only one of an answer.

    Raises InvalidValue for an object that is nothing of Square's, and for the errors it answers with.
    """
    if answer.has("data") and answer.has("type"):  # an event: {"type": …, "data": {"object": {…}}}
        inner = answer.object_or_empty("data").object_or_empty("object")
        changed = [name for name in inner.values if name.startswith("order_")]
        if changed and not inner.has("order"):
            what = f"an event {answer.text_or_empty('type')[:40]} names an order and does not have it: fetch the order"
            raise InvalidValue(what, place=answer.place)
        return _unwrapped(inner)
    if any(name in answer.values for name in _ANSWERS):
        return answer
    if any(name in answer.values for name in _ORDER_KEYS):
        return JsonObject({"order": dict(answer.values)}, answer.place)
    if answer.has("errors"):
        codes = ", ".join(error.text_or_empty("code")[:40] for error in answer.objects("errors"))
        raise InvalidValue(f"is an error of Square's API ({codes}), and no order", place=answer.place)
    raise InvalidValue(
        'is no answer of Square: it has none of "order", "orders", "payments" and "refunds"; it has '
        + (", ".join(sorted(name[:20] for name in answer.values)[:6]) or "nothing"),
        place=answer.place,
    )


def _reason(answer: JsonObject) -> str:
    if answer.has("order_entries"):
        return "an answer without orders: it has their ids only; ask with return_entries false"
    for word in ("payment", "refund"):
        if answer.has(word) or answer.has(f"{word}s"):
            return f"a {word} without its order"
    return "an answer without orders"


def _holds_money(answer: JsonObject) -> bool:
    return any(answer.has(name) for name in ("payment", "payments", "refund", "refunds", "order_entries"))


def _parse_order(order: Order, raw: bytes, flags: tuple[str, ...], document: Document, make_id: MakeId) -> Parsed:
    def read(source: RawRef) -> Receipt | NoReceipt:
        if reason := _not_sent(order):
            voids = voided_id(lambda: order.make_id(make_id)) if reason == "voided" else ""
            return NoReceipt(
                reason=reason, place=order.place, retail=reason != "no sale", number=order.printed, voids=voids
            )
        return order.read(source, make_id)

    return read_record(read, document, order.place, raw, number=order.form.text_or_empty("id"), flags=flags)


def _not_sent(order: Order) -> str:
    """Why an order is not sent, by its state and its money; "" when it is a sale. Raises InvalidValue."""
    state, form = order.form.text("state", ""), order.form
    paid = sum((money(tender, "amount_money") for tender in form.objects("tenders")), ZERO)
    if state in ("OPEN", "DRAFT"):
        if paid:
            return "paid, and not handed over yet: the sale is the order when it is COMPLETED"
        return "suspended: not paid yet"
    back = sum((money(refund, "amount_money") for refund in form.objects("refunds")), ZERO)
    if state == "CANCELED":
        if paid != back:
            raise InvalidValue(f"is CANCELED, was paid {paid} and gave back {back}", place=form.place)
        return "voided"
    if state not in ("COMPLETED", ""):
        raise InvalidValue("state is none of OPEN, COMPLETED, CANCELED, DRAFT", place=form.place)
    # NO_SALE opens the drawer: it stands alone, and money beside it is a sale.
    no_sale = any(tender.text("type", "") == "NO_SALE" for tender in form.objects("tenders"))
    if no_sale and not (paid or back or form.objects("line_items") or form.objects("returns")):
        return "no sale"
    return ""


def _alone(order: JsonObject, answer: JsonObject) -> bytes:
    """One of several orders as an answer of its own, with the payments and refunds that may be its."""
    number = order.text_or_empty("id")
    beside = {
        name: [one for one in given if not isinstance(one, dict) or one.get("order_id") in (None, number)]
        if isinstance(given := answer.values[name], list)
        else given
        for name in _BESIDE
        if answer.has(name)
    }
    return json.dumps({"order": order.values, **beside}, ensure_ascii=False, default=str).encode()

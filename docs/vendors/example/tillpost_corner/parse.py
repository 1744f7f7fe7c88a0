"""From answers of Corner to receipts, one order at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tillpost import InvalidValue
from tillpost.kit import CONTROL_CHARACTERS, JsonObject, JsonRecord, MakeId, json_records, parse_clean_json, read_record
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_corner.order import read_order
from tillpost_corner.settings import Settings

NOT_PAID = {"OPEN": "suspended: not paid yet", "DRAFT": "suspended: not paid yet", "CANCELED": "voided"}
LARGEST = 64 * 1024 * 1024


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every order as Found, NoReceipt or Broken; a document has one answer, or one a line.

    Raises DocumentError for UTF-16, for more than 64 MiB in one answer, and where an answer over many lines ends being
    JSON.
    """
    for record in json_records(document, largest=LARGEST):
        yield from _parse_answer(record, document, settings, make_id)


def _parse_answer(record: JsonRecord, document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    try:
        form, removed = parse_clean_json(record.content, place=record.place)
        answer = JsonObject.of(form, record.place)
        order = answer.object("order")
        orders = answer.objects("orders") if order is None else [order]
    except InvalidValue as error:
        yield Broken(reason=str(error), place=record.place, raw=record.content)
        return
    flags = (CONTROL_CHARACTERS,) if removed else ()
    for order in orders:
        raw = record.content if len(orders) == 1 else _alone(order, answer)
        yield _parse_order(order, answer, raw, flags, document, settings, make_id)
    if not orders:
        yield NoReceipt(reason=_ignored_reason(answer), place=record.place, retail=False)


def _parse_order(
    order: JsonObject,
    answer: JsonObject,
    raw: bytes,
    flags: tuple[str, ...],
    document: Document,
    settings: Settings,
    make_id: MakeId,
) -> Parsed:
    number = order.text_or_empty("id")

    def read(source: RawRef) -> Receipt | NoReceipt:
        if (state := order.text("state", "")) in NOT_PAID:
            return NoReceipt(reason=NOT_PAID[state], place=order.place, retail=True, number=number)
        if any(tender.text("type", "") == "NO_SALE" for tender in order.objects("tenders")):
            return NoReceipt(reason="no sale", place=order.place, retail=False, number=number)
        return read_order(order, answer, source, settings, make_id)

    return read_record(read, document, order.place, raw, number=number, flags=flags)


def _alone(order: JsonObject, answer: JsonObject) -> bytes:
    """One of several orders as an answer of its own, with the payments and refunds beside it."""
    beside = {name: answer.values[name] for name in ("payments", "refunds") if answer.has(name)}
    return json.dumps({"order": order.values, **beside}, ensure_ascii=False, default=str).encode()


def _ignored_reason(answer: JsonObject) -> str:
    for word in ("payment", "refund"):
        if answer.has(word) or answer.has(f"{word}s"):
            return f"a {word} without its order"
    return "an answer without orders"

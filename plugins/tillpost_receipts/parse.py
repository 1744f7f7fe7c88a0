"""From JSON lines, or a JSON array, to receipts, one record at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tillpost import InvalidValue
from tillpost.kit import (
    CONTROL_CHARACTERS,
    ROUNDING,
    JsonObject,
    JsonRecord,
    MakeId,
    broken_id,
    json_records,
    masked,
    parse_clean_json,
    quoted,
    read_record,
    unpacked,
)
from tillpost.model import Broken, Document, Found, Parsed, RawRef
from tillpost.model.receipt_json import from_json, load_record
from tillpost_receipts.settings import Settings


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every record as Found or Broken, with its line number.

    Raises DocumentError for UTF-16, for a record larger than the setting `largest`, and for an array that ends being
    JSON (what is before it is yielded).
    """
    lists = (settings.records,) if settings.records else ()
    for record in json_records(unpacked(document), largest=settings.largest, lists=lists):
        yield _parse_record(record, document, make_id)


def _parse_record(record: JsonRecord, document: Document, make_id: MakeId) -> Parsed:
    content, place = record.content, record.place
    source = RawRef(sha256=document.sha256, document=document.name, place=place)
    receipt = load_record(content, raw=source, make_id=make_id)
    if receipt and ROUNDING not in [tender.type for tender in receipt.tenders]:
        return _whole(Found(receipt=receipt, raw=content), place)
    try:
        form, removed = parse_clean_json(content, place=place)
    except InvalidValue as error:
        return Broken(reason=str(error), place=place, raw=content)
    number, store = (
        JsonObject(form, place).text_or_empty(name) if isinstance(form, dict) else "" for name in ("number", "store")
    )
    if isinstance(form, dict) and "lines" not in form and (names := [name for name in form if _is_list(form[name])]):
        shown = ", ".join(ascii(name)[1:-1][:40] for name in names[:10])
        reason = f"{place}: is no receipt, and has lists: {shown}; set `records` to the one that has the receipts"
        return Broken(reason=reason, place=place, raw=content, number=number, store=store)
    read = read_record(
        lambda source: from_json(form, place=place, make_id=make_id, raw=source),
        document,
        place,
        content,
        number=number,
        store=store,
        flags=(CONTROL_CHARACTERS,) if removed else (),
    )
    return _whole(read, place) if isinstance(read, Found) else read


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _whole(found: Found, place: str) -> Found | Broken:
    """The receipt; Broken where an id of it is one that a spreadsheet broke."""
    receipt = found.receipt
    ids = [("number", receipt.number), ("store", receipt.store), ("till", receipt.till)]
    fault = next((f"{name}: {quoted(value)} {what}" for name, value in ids if (what := broken_id(value))), "")
    for line in receipt.lines:
        if not fault and (what := broken_id(line.sku, code=True)):
            fault = f"lines: sku {quoted(line.sku)} {what}"
    for identifier in receipt.customer.identifiers if receipt.customer and not fault else ():
        if what := broken_id(identifier.value):
            fault = f"customer: {identifier.kind} {masked(identifier.value)} {what}"
    if not fault:
        return found
    reason = f"{place}.{fault}; write ids as text"
    return Broken(reason=reason, place=place, raw=found.raw, number=receipt.number, store=receipt.store)

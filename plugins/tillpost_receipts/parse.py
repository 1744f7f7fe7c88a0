"""From JSON lines, or a JSON array, to receipts, one record at a time."""

from __future__ import annotations

from collections.abc import Iterator

from tillpost import InvalidValue
from tillpost.kit import CONTROL_CHARACTERS, JsonObject, JsonRecord, MakeId, json_records, parse_clean_json, read_record
from tillpost.model import Broken, Document, Found, Parsed, RawRef
from tillpost.model.receipt_json import from_json, load_record
from tillpost_receipts.settings import Settings


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every record as Found or Broken, with its line number.

    Raises DocumentError for UTF-16, for a record larger than the setting `largest`, and for an array that ends being
    JSON (what is before it is yielded).
    """
    for record in json_records(document, largest=settings.largest):
        yield _parse_record(record, document, make_id)


def _parse_record(record: JsonRecord, document: Document, make_id: MakeId) -> Parsed:
    content, place = record.content, record.place
    source = RawRef(sha256=document.sha256, document=document.name, place=place)
    if receipt := load_record(content, raw=source, make_id=make_id):
        return Found(receipt=receipt, raw=content)
    try:
        form, removed = parse_clean_json(content, place=place)
    except InvalidValue as error:
        return Broken(reason=str(error), place=place, raw=content)
    number, store = (
        JsonObject(form, place).text_or_empty(name) if isinstance(form, dict) else "" for name in ("number", "store")
    )
    return read_record(
        lambda source: from_json(form, place=place, make_id=make_id, raw=source),
        document,
        place,
        content,
        number=number,
        store=store,
        flags=(CONTROL_CHARACTERS,) if removed else (),
    )

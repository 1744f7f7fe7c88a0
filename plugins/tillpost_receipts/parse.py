"""From JSON lines, or a JSON array, to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from tillpost import InvalidValue
from tillpost.kit import CONTROL_CHARACTERS, MakeId, json_records, parse_clean_json
from tillpost.model import Broken, Document, Found, Parsed, RawRef
from tillpost.model.receipt_json import from_json, plain_record
from tillpost_receipts.settings import Settings


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every record as Found or Broken, with its line number.

    Raises DocumentError for UTF-16, for a record larger than the setting `largest`, and for an array that ends being
    JSON (what stood before is yielded).
    """
    for record in json_records(document, largest=settings.largest):
        raw = RawRef(sha256=document.sha256, document=document.name, place=record.place)
        yield _parsed(record.content, raw, make_id)


def _parsed(record: bytes, raw: RawRef, make_id: MakeId) -> Parsed:
    if plain := plain_record(record, raw=raw, make_id=make_id):
        return Found(receipt=plain, raw=record)
    form: Any = None
    try:
        form, taken = parse_clean_json(record, place=raw.place)
        receipt = from_json(form, place=raw.place, make_id=make_id, raw=raw)
    except (InvalidValue, RecursionError) as error:
        reason = str(error) if isinstance(error, InvalidValue) else f"{raw.place}: nested too deep"
        return Broken(
            reason=reason, place=raw.place, raw=record, number=_text_of(form, "number"), store=_text_of(form, "store")
        )
    if taken and CONTROL_CHARACTERS not in receipt.flags:
        receipt = attrs.evolve(receipt, flags=(*receipt.flags, CONTROL_CHARACTERS))
    return Found(receipt=receipt, raw=record)


def _text_of(form: Any, name: str) -> str:
    value = form.get(name, "") if isinstance(form, dict) else ""
    return value if isinstance(value, str) else ""

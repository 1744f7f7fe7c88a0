"""From a document of digital receipts to receipts, one transaction at a time."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost import DocumentError
from tillpost.kit import MakeId, read_record
from tillpost.kit.xml import Encoding, XmlFormat, XmlRecord, detect_encoding, local_name, record_flags, xml_records
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed
from tillpost_digital_receipt.receipt import control_unit, number, read_receipt, store
from tillpost_digital_receipt.settings import Settings
from tillpost_digital_receipt.status import holds_money, retail_transaction, skip_reason
from tillpost_digital_receipt.voids import voided

_FORMAT = XmlFormat(
    roots=("DigitalReceipt",),
    records={"Transaction": ("DigitalReceipt",)},
    others={"ControlUnit": ("DigitalReceipt",), "DigitalReceipt": ()},
)


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every Transaction as Found, NoReceipt or Broken, one at a time, in the document's order.

    A Transaction is yielded when the next one begins or its DigitalReceipt ends: its control unit follows it. Raises
    DocumentError for a DOCTYPE, an unknown encoding, no DigitalReceipt, and where the document ends being
    well-formed; a receipt whose DigitalReceipt does not end is not yielded.
    """
    encoding = detect_encoding(document)
    pending: Parsed | None = None
    alone = True
    try:
        for record in xml_records(document, encoding, _FORMAT):
            match local_name(record.element):
                case "Transaction":
                    if pending is not None:
                        alone = False
                        yield pending
                    pending = _parse_record(record, document, encoding, settings, make_id)
                case "ControlUnit":
                    # Of several transactions it names none.
                    if pending is not None and alone:
                        pending = _with_control_unit(pending, record.element)
                case _:
                    if pending is not None:
                        yield pending
                    pending, alone = None, True
    except DocumentError:
        # One that stands alone is whole only with its DigitalReceipt: its control unit may be cut off.
        if pending is not None and not alone:
            yield pending
        raise
    if pending is not None:
        yield pending


_HEAD, _TAIL = b"<?xml version='1.0' encoding='UTF-8'?>\n<DigitalReceipt>", b"</DigitalReceipt>"


def _serialized(element: _Element) -> bytes:
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False)


def _parse_record(
    record: XmlRecord, document: Document, encoding: Encoding, settings: Settings, make_id: MakeId
) -> Parsed:
    transaction, own = record.element, number(record.element)
    retail = retail_transaction(transaction)
    if retail is None and not holds_money(transaction):
        return NoReceipt(reason="no RetailTransaction", place=record.place, retail=False, number=own)
    if retail is None:
        raw = _HEAD + _serialized(transaction) + _TAIL
        names = ", ".join(dict.fromkeys(filter(None, map(local_name, transaction))))
        reason = (
            f"{record.place}: has lines, tenders or a total and no RetailTransaction in it; there are {names[:200]}"
        )
        return Broken(reason=reason, place=record.place, raw=raw, number=own, store=store(transaction))
    reason = skip_reason(transaction, retail)
    if reason:
        voids, final = voided(transaction, retail, reason, settings, make_id)
        return NoReceipt(reason=reason, place=record.place, retail=True, number=own, voids=voids, final=final)
    raw = _HEAD + _serialized(transaction) + _TAIL
    return read_record(
        lambda source: read_receipt(transaction, retail, source, settings, make_id),
        document,
        record.place,
        raw,
        number=own,
        store=store(transaction),
        flags=record_flags(encoding, raw),
        rounding_as_line=False,
    )


def _with_control_unit(parsed: Parsed, element: _Element) -> Parsed:
    """The record with the text of its control unit."""
    if isinstance(parsed, NoReceipt):
        return parsed
    raw = parsed.raw.removesuffix(_TAIL) + _serialized(element) + _TAIL
    added = control_unit(element)
    if isinstance(parsed, Broken) or not added:
        return attrs.evolve(parsed, raw=raw)
    receipt = parsed.receipt
    before = receipt.extra.get("controlUnit")
    extra = {**receipt.extra, "controlUnit": f"{before}; {added}" if before else added}
    return Found(receipt=attrs.evolve(receipt, extra=extra), raw=raw)

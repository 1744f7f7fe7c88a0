"""From a digital receipt to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost import DocumentError, InvalidValue
from tillpost.kit import MakeId
from tillpost.kit.xml import Encoding, XmlFormat, XmlRecord, detect_encoding, local_name, record_flags, xml_records
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed, RawRef
from tillpost_digital_receipt.receipt import control_unit, number, read_receipt, store
from tillpost_digital_receipt.settings import Settings
from tillpost_digital_receipt.status import no_sale_reason, retail_part

_FORMAT = XmlFormat(
    root="DigitalReceipt",
    record="Transaction",
    within="DigitalReceipt",
    others={"ControlUnit": "DigitalReceipt", "DigitalReceipt": ""},
)


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every Transaction as Found, NoReceipt or Broken, in the document's order.

    A Transaction is handed out when the next one begins or its DigitalReceipt ends: what the control unit says comes
    after it. Raises DocumentError for a DOCTYPE, an unknown encoding, no DigitalReceipt, and where the document
    ends being well-formed; a receipt whose DigitalReceipt does not end is not handed out.
    """
    encoding = detect_encoding(document)
    held: Parsed | None = None
    alone = True
    try:
        for record in xml_records(document, encoding, _FORMAT):
            match local_name(record.element):
                case "Transaction":
                    if held is not None:
                        alone = False
                        yield held
                    held = _parsed(record, document, encoding, settings, make_id)
                case "ControlUnit":
                    # Of several transactions it cannot be told which one it is about.
                    if held is not None and alone:
                        held = _controlled(held, record.element)
                case _:
                    if held is not None:
                        yield held
                    held, alone = None, True
    except DocumentError:
        # One that stands alone is whole when its DigitalReceipt is: its control unit may have been cut off.
        if held is not None and not alone:
            yield held
        raise
    if held is not None:
        yield held


def _piece(element: _Element) -> bytes:
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False)


_HEAD, _TAIL = b"<?xml version='1.0' encoding='UTF-8'?>\n<DigitalReceipt>", b"</DigitalReceipt>"


def _parsed(record: XmlRecord, document: Document, encoding: Encoding, settings: Settings, make_id: MakeId) -> Parsed:
    transaction, own = record.element, number(record.element)
    retail = retail_part(transaction)
    if retail is None:
        return NoReceipt(reason="no RetailTransaction", place=record.place, retail=False, number=own)
    reason = no_sale_reason(transaction, retail)
    if reason:
        return NoReceipt(reason=reason, place=record.place, retail=True, number=own)
    raw = _HEAD + _piece(transaction) + _TAIL
    source = RawRef(sha256=document.sha256, document=document.name, place=record.place)
    try:
        receipt = read_receipt(transaction, retail, source, settings, make_id)
        if told := record_flags(encoding, raw):
            receipt = attrs.evolve(receipt, flags=(*receipt.flags, *told))
        return Found(receipt=receipt, raw=raw)
    except InvalidValue as error:
        reason = f"{record.place}: {error}"
    except ArithmeticError:  # amounts each in bounds whose product or ratio is not
        reason = f"{record.place}: amounts cannot be reckoned with (more digits than decimals hold)"
    return Broken(reason=reason, place=record.place, raw=raw, number=own, store=store(transaction))


def _controlled(held: Parsed, element: _Element) -> Parsed:
    """The record with what its control unit said."""
    if isinstance(held, NoReceipt):
        return held
    raw = held.raw.removesuffix(_TAIL) + _piece(element) + _TAIL
    said = control_unit(element)
    if isinstance(held, Broken) or not said:
        return attrs.evolve(held, raw=raw)
    receipt = held.receipt
    before = receipt.extra.get("controlUnit")
    extra = {**receipt.extra, "controlUnit": f"{before}; {said}" if before else said}
    return Found(receipt=attrs.evolve(receipt, extra=extra), raw=raw)

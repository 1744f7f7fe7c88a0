"""From a POSLog document to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from lxml.etree import _Element

from tillpost import DocumentError, InvalidValue
from tillpost.kit import MakeId
from tillpost.kit.xml import Encoding, XmlFormat, XmlRecord, as_document, detect_encoding, record_flags, xml_records
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed, RawRef
from tillpost_poslog.retail import read_receipt
from tillpost_poslog.settings import Settings
from tillpost_poslog.status import Key, control_reason, key, no_sale_reason, retail_part, voids

_FORMAT = XmlFormat(root="POSLog", record="Transaction", within="POSLog")


@attrs.frozen
class Voids:
    """What the document voids of itself: voided → voiding, and which of the voided were seen in it.

    Nothing is kept of what nobody voids: a day of a large retailer has millions of transactions.
    """

    by: dict[Key, Key]
    there: set[Key]

    def saw(self, own: Key) -> None:
        """A transaction goes by. What stands behind its post-void is seen in the first reading, what before in both."""
        if own in self.by:
            self.there.add(own)


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every Transaction as Found, NoReceipt or Broken, with its line and its number in the document.

    Reads twice: a post-void comes after the sale it undoes, which must not go out. Raises DocumentError for a
    DOCTYPE, an unknown encoding, no POSLog, and where the document ends being well-formed.
    """
    encoding = detect_encoding(document)
    voided = _find_voids(document, encoding)
    for record in xml_records(document, encoding, _FORMAT):
        raw = as_document(record.element)
        yield _parsed(record, raw, document, encoding, voided, settings, make_id)


def _find_voids(document: Document, encoding: Encoding) -> Voids:
    found = Voids({}, set())
    try:
        for record in xml_records(document, encoding, _FORMAT):
            if found.by:
                found.saw(key(record.element))
            target = voids(record.element)
            # A training, suspended or cancelled post-void undoes nothing.
            if target is not None and _in_force(record.element):
                found.by[target] = key(record.element)
    except DocumentError:
        pass  # the second reading comes to the same place and says it there
    return found


def _in_force(transaction: _Element) -> bool:
    retail = retail_part(transaction)
    reason = no_sale_reason(transaction, retail) if retail is not None else ""
    return reason not in ("training", "suspended", "cancelled", "copy")


def _parsed(
    record: XmlRecord,
    raw: bytes,
    document: Document,
    encoding: Encoding,
    voided: Voids,
    settings: Settings,
    make_id: MakeId,
) -> Parsed:
    transaction, own = record.element, key(record.element)
    voided.saw(own)
    retail = retail_part(transaction)
    target = voids(transaction)
    if retail is None and target is None:
        return NoReceipt(reason=control_reason(transaction), place=record.place, retail=False, **_named(own))
    reason = _void_reason(target, own, voided)
    if retail is not None and not (target is not None and _in_force(transaction)):
        reason = no_sale_reason(transaction, retail) or reason
    if reason:
        return NoReceipt(reason=reason, place=record.place, retail=True, **_named(own))
    assert retail is not None
    source = RawRef(sha256=document.sha256, document=document.name, place=record.place)
    try:
        receipt = read_receipt(transaction, retail, own, source, settings, make_id)
        if told := record_flags(encoding, raw):
            receipt = attrs.evolve(receipt, flags=(*receipt.flags, *told))
        return Found(receipt=receipt, raw=raw)
    except InvalidValue as error:
        reason = f"{record.place}: {error}"
    except ArithmeticError:  # amounts each in bounds whose product or ratio is not
        reason = f"{record.place}: amounts cannot be reckoned with (more digits than decimals hold)"
    return Broken(reason=reason, place=record.place, raw=raw, number=own.number, store=own.store)


def _named(own: Key) -> dict[str, str]:
    return {"number": own.number, "store": own.store, "till": own.till, "date": own.date}


def _void_reason(target: Key | None, own: Key, voided: Voids) -> str:
    if target is not None:
        undone = target in voided.there
        after = "" if undone else "; that one is not in this document: if it went out before, correct it in Engage"
        return f"post-void of {target}{after}"
    by = voided.by.get(own)
    return f"voided afterwards by {by}" if by is not None else ""

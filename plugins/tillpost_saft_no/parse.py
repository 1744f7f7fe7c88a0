"""From an audit file to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tillpost import InvalidValue
from tillpost.kit import MakeId
from tillpost.kit.xml import Encoding, XmlRecord, detect_encoding, local_name, record_flags, text, xml_records
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed, RawRef
from tillpost_saft_no.codes import EVENTS
from tillpost_saft_no.masters import FORMAT, Masters
from tillpost_saft_no.settings import Settings
from tillpost_saft_no.transaction import no_sale_reason, number, read_receipt, store


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every cashtransaction as Found, NoReceipt or Broken, every event as NoReceipt, in the document's order.

    Raises DocumentError for a DOCTYPE, an unknown encoding, no audit file, and where the document ends being
    well-formed.
    """
    encoding, masters = detect_encoding(document), Masters()
    for record in xml_records(document, encoding, FORMAT):
        match local_name(record.element):
            case "cashtransaction":
                yield _parsed(record, masters, document, encoding, settings, make_id)
            case "event":
                yield _event(record, masters, settings)
            case _:
                masters.learn(record.element)


def _event(record: XmlRecord, masters: Masters, settings: Settings) -> NoReceipt:
    code = masters.predefined("13", text(record.element, "eventType"))
    reason = f"event: {EVENTS.get(code, 'of no known type')}"
    return NoReceipt(
        reason=reason,
        place=record.place,
        retail=False,
        number=text(record.element, "transID"),
        store=store(masters, settings),
        till=masters.register,
    )


def _parsed(
    record: XmlRecord, masters: Masters, document: Document, encoding: Encoding, settings: Settings, make_id: MakeId
) -> Parsed:
    transaction = record.element
    own = number(transaction)
    try:
        found = no_sale_reason(transaction, masters, settings)
        if found is not None:
            reason, retail = found
            return NoReceipt(
                reason=reason,
                place=record.place,
                retail=retail,
                number=own,
                store=store(masters, settings),
                till=masters.register,
            )
        raw = masters.document(transaction)
        source = RawRef(sha256=document.sha256, document=document.name, place=record.place)
        receipt = read_receipt(transaction, masters, source, settings, make_id)
        if told := record_flags(encoding, raw):
            receipt = attrs.evolve(receipt, flags=(*receipt.flags, *told))
        return Found(receipt=receipt, raw=raw)
    except InvalidValue as error:
        reason = f"{record.place}: {error}"
    except ArithmeticError:  # amounts each in bounds whose product or ratio is not
        reason = f"{record.place}: amounts cannot be reckoned with (more digits than decimals hold)"
    return Broken(
        reason=reason,
        place=record.place,
        raw=masters.document(transaction),
        number=own,
        store=store(masters, settings),
    )

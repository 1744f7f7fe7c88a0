"""From an audit file to receipts, one cashtransaction at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from tillpost import DocumentError
from tillpost.kit import MakeId, read_record, voided_id
from tillpost.kit.xml import Encoding, XmlRecord, detect_encoding, local_name, record_flags, text, xml_records
from tillpost.model import Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_saft_cash.codes import EVENTS
from tillpost_saft_cash.master_data import FORMAT, MANY, MOST_KEPT, MasterData, references
from tillpost_saft_cash.settings import Settings
from tillpost_saft_cash.transaction import VOIDED, not_a_sale, number, own_id, read_receipt, store


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every cashtransaction as Found, NoReceipt or Broken, every event as NoReceipt, in the document's order.

    Raises DocumentError for a DOCTYPE, an unknown encoding, no audit file, and where the document ends being
    well-formed.
    """
    encoding, master_data = detect_encoding(document), MasterData()
    for record in xml_records(document, encoding, FORMAT):
        match local_name(record.element):
            case "cashtransaction":
                yield _parse_transaction(record, master_data, document, encoding, settings, make_id)
            case "event":
                yield _event(record, master_data, settings)
            case _:
                master_data.add(record.element)
                if master_data.codes > MOST_KEPT:
                    raise DocumentError(f"has more than {MOST_KEPT} codes (basic, vatCodeDetail)", document.name)
                if len(master_data.known) > MOST_KEPT and master_data.used is None:
                    master_data.keep_only(_used(document, encoding))


def _used(document: Document, encoding: Encoding) -> set[tuple[str, ...]]:
    """The articles and customers that transactions of the document name; read as far as it can be read."""
    found: set[tuple[str, ...]] = set()
    with suppress(DocumentError):  # the reading of the records raises it at the same place
        for record in xml_records(document, encoding, FORMAT):
            if local_name(record.element) in FORMAT.records:
                found.update(key for key in references(record.element) if key[0] in MANY)
    return found


def _event(record: XmlRecord, master_data: MasterData, settings: Settings) -> NoReceipt:
    code = master_data.predefined("13", text(record.element, "eventType"))
    reason = f"event: {EVENTS.get(code, 'of an unknown type')}"
    return NoReceipt(
        reason=reason,
        place=record.place,
        retail=False,
        number=text(record.element, "transID"),
        store=store(master_data, settings),
        till=master_data.register,
    )


def _parse_transaction(
    record: XmlRecord,
    master_data: MasterData,
    document: Document,
    encoding: Encoding,
    settings: Settings,
    make_id: MakeId,
) -> Parsed:
    transaction = record.element
    own, at_store = number(transaction), store(master_data, settings)

    def read(source: RawRef) -> Receipt | NoReceipt:
        if excluded := not_a_sale(transaction, master_data, settings):
            reason, retail = excluded
            voids = voided_id(lambda: own_id(transaction, master_data, settings, make_id)) if reason == VOIDED else ""
            return NoReceipt(
                reason=reason, place=record.place, retail=retail, number=own, store=at_store,
                till=master_data.register, voids=voids,
            )  # fmt: skip
        return read_receipt(transaction, master_data, source, settings, make_id)

    raw = master_data.document(transaction)
    return read_record(read, document, record.place, raw, number=own, store=at_store, flags=record_flags(encoding, raw))

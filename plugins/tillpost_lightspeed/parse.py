"""From answers of the API, files of sales and webhook bodies to receipts, one sale at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tillpost import InvalidValue
from tillpost.kit import (
    CONTROL_CHARACTERS,
    JsonRecord,
    MakeId,
    XmlJsonObject,
    json_records,
    parse_clean_json,
    read_record,
)
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_lightspeed import retail, xseries
from tillpost_lightspeed.settings import Settings

_LISTS = ("Sale", "data", "sales", "register_sales")
_WRAPPERS = (*_LISTS, "sale", "register_sale", "payload")
_RETAIL = ("saleID", "SaleLines", "SalePayments", "ticketNumber")
_XSERIES = ("line_items", "register_sale_products", "outlet_id", "register_sale_payments", "invoice_number")


_LOOKED_AT = 64 * 1024


def recognise(document: Document, settings: Settings) -> str:
    """Which series the sales are of, by the keys at the beginning of the document."""
    with document.open() as file:
        start = file.read(_LOOKED_AT)
    if any(f'"{name}"'.encode() in start for name in _RETAIL):
        return "Lightspeed Retail R-Series"
    if b'"register_sale_products"' in start:
        return "Lightspeed Retail X-Series (API 0.9 or webhook)"
    return "Lightspeed Retail X-Series (API 2.0)" if b'"line_items"' in start else ""


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every sale as Found, NoReceipt or Broken, with its place; R-Series and X-Series are told apart by their keys.

    Raises DocumentError for UTF-16, for more bytes than `largest`, and where a file ends being JSON.
    """
    for record in json_records(document, largest=settings.largest, lists=_LISTS):
        yield _parse_record(record, document, settings, make_id)


def _parse_record(record: JsonRecord, document: Document, settings: Settings, make_id: MakeId) -> Parsed:
    try:
        form, removed = parse_clean_json(record.content, place=record.place)
        sale = _unwrapped(form, record.place)
        if _is_empty_answer(sale):
            return NoReceipt(reason="an answer without sales", place=record.place, retail=False)
        is_retail = any(name in sale.values for name in _RETAIL)
        if not is_retail and not any(name in sale.values for name in _XSERIES):
            raise InvalidValue(
                "is no sale: it has neither saleID and SaleLines (R-Series) nor line_items (X-Series)", place=sale.place
            )
    except InvalidValue as error:
        return Broken(reason=str(error), place=record.place, raw=record.content)
    no_receipt, read_sale = (
        (retail.no_receipt, retail.read_sale) if is_retail else (xseries.no_receipt, xseries.read_sale)
    )
    number_key, store_key = ("ticketNumber", "shopID") if is_retail else ("invoice_number", "outlet_id")

    def read(source: RawRef) -> Receipt | NoReceipt:
        return no_receipt(sale, settings, make_id) or read_sale(sale, source, settings, make_id)

    return read_record(
        read,
        document,
        record.place,
        record.content,
        number=sale.text_or_empty(number_key),
        store=sale.text_or_empty(store_key),
        flags=(CONTROL_CHARACTERS,) if removed else (),
    )


def _unwrapped(form: Any, place: str) -> XmlJsonObject:
    """The sale itself, out of the answer for a single one (`{"Sale": {…}}`, `{"data": {…}}`)."""
    sale = XmlJsonObject.of(form, place)
    for name in _WRAPPERS:
        if isinstance(sale.values.get(name), dict):
            return XmlJsonObject(sale.values[name], place)
    return sale


def _is_empty_answer(sale: XmlJsonObject) -> bool:
    """Whether it is the R-Series' answer to a question to which there is no sale."""
    return "@attributes" in sale.values and set(sale.values) <= {"@attributes", "Sale"}

"""One retail transaction as a receipt."""

from __future__ import annotations

import re

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import MakeId, parse_date, parse_time
from tillpost.kit.xml import attribute, child, children, text
from tillpost.model import RawRef, Receipt
from tillpost_poslog.amounts import read_amounts
from tillpost_poslog.customer import Programmes, read_customer
from tillpost_poslog.names import Names, find_text
from tillpost_poslog.names import written as written_paths
from tillpost_poslog.settings import Settings
from tillpost_poslog.status import TransactionKey, is_known_sale, transaction_key

_LOCAL = re.compile(r"T[\d:.]+$")
_OFFSET = re.compile(r"([+-]?)(\d\d:\d\d)(?::00)?")
_TIMES = ("ReceiptDateTime", "EndDateTime", "POSLogDateTime", "BeginDateTime")
TRANSACTION_KIND = "transaction-kind"
"""The flag of a receipt read from a transaction whose name is none of a sale, because of what it holds."""
_NOT_RETURNS = ("void", "reprint", "layaway", "order", "suspend", "retriev")
"""Words in the reason of a link that is not about a return."""


def _currency(transaction: _Element, retail: _Element, settings: Settings) -> str:
    written = text(transaction, "CurrencyCode") or text(retail, "CurrencyCode")
    for total in children(retail, "Total"):
        written = written or attribute(total, "CurrencyCode") or attribute(total, "Currency")
    found = written or settings.currency
    if not found:
        raise InvalidValue("CurrencyCode is missing; set `currency` of the adapter", place="Transaction")
    return found


def _time(part: _Element, name: str) -> str:
    """The time as written, with the offset that Retalix has beside it."""
    element = child(part, name)
    written = text(element)
    if element is None or not element.attrib or not written or not _LOCAL.search(written):
        return written
    offset = _OFFSET.fullmatch(attribute(element, "Offset"))
    return f"{written}{offset[1] or '+'}{offset[2]}" if offset else written


def _original_receipt(holder: _Element, own: TransactionKey, make_id: MakeId, names: Names) -> str:
    """The original of a return: its receipt id where the link has the day, else its number; "" when it has neither.

    Store and till that a link leaves out are those of the return. Its day is not: few return on the day they bought.
    """
    for link in children(holder, "TransactionLink"):
        reason = (attribute(link, "ReasonCode") or text(link, "ReasonCode")).lower()
        original = transaction_key(link, names)
        if any(word in reason for word in _NOT_RETURNS):
            continue
        if original.number and original.date:
            try:
                return make_id(
                    store=original.store or own.store,
                    till=original.till or own.till,
                    business_date=parse_date(original.date, "TransactionLink/BusinessDayDate"),
                    number=original.number,
                )
            except InvalidValue:
                pass
        if number := original.number or text(link, "TransactionID") or text(link, "ReceiptNumber"):
            return number
    return ""


def read_receipt(
    transaction: _Element,
    retail: _Element,
    own: TransactionKey,
    source: RawRef,
    settings: Settings,
    make_id: MakeId,
    programmes: Programmes,
) -> Receipt | None:
    """The receipt; None when every line of it is voided and nothing was paid.

    The id is made from the sequence number, which is unique for a till and a business date; the receipt number is the
    printed one, where the export has both. Raises InvalidValue with what is missing, or with the difference where
    amounts do not add up.
    """
    names = settings.all_names
    currency = _currency(transaction, retail, settings)
    times = (_time(part, name) for name in _TIMES for part in (retail, transaction))
    created, flags = parse_time(next(filter(None, times), ""), settings.timezone, "Transaction/EndDateTime")
    written = find_text(transaction, names["date"])
    business_date = parse_date(written, "Transaction/BusinessDayDate") if written else created.date()
    shared_original = _original_receipt(retail, own, make_id, names)
    amounts = read_amounts(
        retail, currency, settings, lambda item: _original_receipt(item, own, make_id, names) or shared_original
    )
    if not (amounts.lines or amounts.tenders or amounts.total):
        return None
    if not is_known_sale(retail, names):
        flags = (*flags, TRANSACTION_KIND)
    if not own.store:
        raise InvalidValue(
            f"has no store; looked for {written_paths(names['store'])}; `names` adds others", place="Transaction"
        )
    customer, of_customer = read_customer(retail, settings, programmes)
    return Receipt(
        id=make_id(store=own.store, till=own.till, business_date=business_date, number=own.number),
        number=text(retail, "ReceiptNumber") or text(transaction, "ReceiptNumber") or own.number,
        created=created,
        business_date=business_date,
        store=own.store,
        till=own.till,
        currency=currency,
        total=amounts.total,
        lines=amounts.lines,
        tenders=amounts.tenders,
        taxes=amounts.taxes,
        customer=customer,
        flags=(*flags, *amounts.flags, *of_customer),
        raw=source,
    )

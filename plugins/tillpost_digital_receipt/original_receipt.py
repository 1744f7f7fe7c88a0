"""The receipt a returned article was bought on, as far as this one names it."""

from __future__ import annotations

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import MakeId, parse_date
from tillpost.kit.xml import attribute, children, text

_DAY = ("BusinessDayDate", "Date")


def original_receipt(holder: _Element, make_id: MakeId) -> str:
    """The original of a return: its receipt id where the link has store, till, day and number; else its receipt code
    or transaction id; "" when there is none."""
    links = [link for link in children(holder, "TransactionLink") if attribute(link, "ReasonCode") in ("", "Return")]
    for link in links:
        day = text(link, *_DAY) or text(link, "BusinessDayDate")
        sequence = text(link, "SequenceNumber")
        if day and sequence:
            try:
                return make_id(
                    store=text(link, "BusinessUnit"),
                    till=text(link, "WorkstationID"),
                    business_date=parse_date(day, "TransactionLink/BusinessDayDate"),
                    number=sequence,
                )
            except InvalidValue:
                continue
    codes = [text(holder, "ReceiptCodeLink"), *(text(link, "TransactionID") for link in links)]
    return next((code for code in codes if code), "")

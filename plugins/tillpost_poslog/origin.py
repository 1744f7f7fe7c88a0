"""What a returned article was bought on, as far as the export says."""

from __future__ import annotations

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import MakeId, parse_date
from tillpost.kit.xml import attribute, children, text
from tillpost_poslog.status import Key, key

_OTHER = ("void", "reprint", "layaway", "order", "suspend", "retriev")
"""Words in the reason of a link that is about something else than a return."""


def original_receipt(holder: _Element, own: Key, make_id: MakeId) -> str:
    """The original of a return: its receipt id where the link tells the day, else its number; "" when it tells none.

    Store and till a link leaves out are those of the return; the day is not, for few return on the day they bought.
    """
    for link in children(holder, "TransactionLink"):
        reason = (attribute(link, "ReasonCode") or text(link, "ReasonCode")).lower()
        there = key(link)
        if any(word in reason for word in _OTHER):
            continue
        if there.number and there.date:
            try:
                return make_id(
                    store=there.store or own.store,
                    till=there.till or own.till,
                    business_date=parse_date(there.date, "TransactionLink/BusinessDayDate"),
                    number=there.number,
                )
            except InvalidValue:
                pass
        if number := there.number or text(link, "TransactionID") or text(link, "ReceiptNumber"):
            return number
    return ""

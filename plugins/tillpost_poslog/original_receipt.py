"""The receipt a returned article was bought on, as far as the export names it."""

from __future__ import annotations

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import MakeId, parse_date
from tillpost.kit.xml import attribute, children, text
from tillpost_poslog.status import TransactionKey, transaction_key

_NOT_RETURNS = ("void", "reprint", "layaway", "order", "suspend", "retriev")
"""Words in the reason of a link that is not about a return."""


def original_receipt(holder: _Element, own: TransactionKey, make_id: MakeId) -> str:
    """The original of a return: its receipt id where the link has the day, else its number; "" when it has neither.

    Store and till that a link leaves out are those of the return. Its day is not: few return on the day they bought.
    """
    for link in children(holder, "TransactionLink"):
        reason = (attribute(link, "ReasonCode") or text(link, "ReasonCode")).lower()
        original = transaction_key(link)
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

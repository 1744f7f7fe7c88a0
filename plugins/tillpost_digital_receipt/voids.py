"""Which receipt a transaction that is not a sale takes back."""

from __future__ import annotations

from lxml.etree import _Element

from tillpost.kit import MakeId, parse_time, voided_id
from tillpost.kit.xml import attribute, children, text
from tillpost_digital_receipt.line_items import linked_id
from tillpost_digital_receipt.receipt import number, store
from tillpost_digital_receipt.settings import Settings
from tillpost_digital_receipt.status import POST_VOID


def voided(
    transaction: _Element, retail: _Element, reason: str, settings: Settings, make_id: MakeId
) -> tuple[str, bool]:
    """The id of the receipt, "" for none, and whether it names another transaction, whose number is its own."""
    if reason == POST_VOID:
        links = (link for link in children(retail, "TransactionLink") if attribute(link, "ReasonCode") == "Voided")
        return next(filter(None, (linked_id(link, make_id) for link in links)), ""), True
    return (voided_id(lambda: _own_id(transaction, settings, make_id)) if reason == "voided" else ""), False


def _own_id(transaction: _Element, settings: Settings, make_id: MakeId) -> str:
    created, _ = parse_time(text(transaction, "ReceiptDateTime"), settings.timezone, "Transaction/ReceiptDateTime")
    return make_id(
        store=store(transaction),
        till=text(transaction, "WorkstationID"),
        business_date=created.date(),
        number=number(transaction),
    )

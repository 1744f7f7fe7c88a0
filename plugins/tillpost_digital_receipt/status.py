"""Which transactions are skipped, because they are not sales."""

from __future__ import annotations

import re

from lxml.etree import _Element

from tillpost.kit.xml import attribute, child, children

GRAND = "TransactionGrandAmount"
# xs:boolean attribute, in small letters (the extension writes se:Copy in its schema and se:copy in its example).
_FLAGS = {
    "copy": "copy",
    "copyflag": "copy",
    "trainingflag": "training",
    "trainingmodeflag": "training",
    "cancelflag": "cancelled",
    "voidflag": "voided",
    "suspendflag": "suspended",
}
POST_VOID = "post-void of another transaction"
# Reason of a TransactionLink of the whole transaction → why it is skipped.
_LINKS = {"Voided": POST_VOID}
_LINKS |= {"ReceiptReprint": "copy", "Reservation": "reservation"}
# Attribute of the grand total, with its value → why the transaction is skipped: it is not paid yet.
_UNPAID = {("TypeCode", "PreAuthorize"): "pre-authorised, not paid", ("Type", "Estimated"): "estimated, not paid"}


def retail_transaction(transaction: _Element) -> _Element | None:
    """The RetailTransaction, None when there is none."""
    return child(transaction, "RetailTransaction")


def skip_reason(transaction: _Element, retail: _Element) -> str:
    """Why a retail transaction is skipped; "" when it is a sale."""
    for part in (transaction, retail):
        for key, value in part.attrib.items():
            reason = _FLAGS.get(str(key).rpartition("}")[2].lower())
            if reason and str(value).strip().lower() in ("true", "1"):
                return reason
    for link in children(retail, "TransactionLink"):
        reason = _LINKS.get(attribute(link, "ReasonCode"))
        if reason:
            return reason
    totals = list(children(retail, "Total"))
    grand = [total for total in totals if attribute(total, "TotalType") == GRAND]
    for total in grand or totals:
        for (name, value), reason in _UNPAID.items():
            if attribute(total, name) == value:
                return reason
    return "" if holds_money(retail) else "no line items"


def holds_money(element: _Element) -> bool:
    """Whether it has line items, tenders, or a total that is not zero: then it is a sale, or is held."""
    if next(element.iterdescendants("{*}LineItem", "{*}Tender"), None) is not None:
        return True
    return any(re.search("[1-9]", total.text or "") for total in element.iterdescendants("{*}Total"))

"""Which transactions are skipped, because they are not sales."""

from __future__ import annotations

from lxml.etree import _Element

from tillpost.kit.xml import attribute, child, children, local_name

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
    for total in children(retail, "Total"):
        for (name, value), reason in _UNPAID.items():
            if attribute(total, "TotalType") == "TransactionGrandAmount" and attribute(total, name) == value:
                return reason
    return "" if any(local_name(part) == "LineItem" for part in retail) else "no line items"

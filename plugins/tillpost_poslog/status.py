"""Which transactions are no sales, and which one voids which."""

from __future__ import annotations

import re

import attrs
from lxml.etree import _Element

from tillpost_xml.element import attribute, child, children, flag, local, text

_VOID = re.compile(r"(^|:|_|\s|-)(post-?\s?)?void(ed|s|ing)?($|\s|_|-|transaction)", re.IGNORECASE)


@attrs.frozen
class Key:
    """What names a transaction: store, till, sequence number and business date."""

    store: str
    till: str
    number: str
    date: str

    def __str__(self) -> str:
        return f"store {self.store}, till {self.till}, number {self.number} of {self.date}"


def key(transaction: _Element) -> Key:
    """The key of a Transaction (POSLog 2.x RetailStoreID, 6.x BusinessUnit/UnitID)."""
    return Key(
        store=text(transaction, "RetailStoreID") or text(transaction, "BusinessUnit", "UnitID"),
        till=text(transaction, "WorkstationID"),
        number=text(transaction, "SequenceNumber"),
        date=(text(transaction, "BusinessDayDate") or text(transaction, "EndDateTime"))[:10],
    )


def voids(transaction: _Element) -> Key | None:
    """The key of the transaction this one voids after it was finished; None when it is no post-void.

    Told by a TransactionLink of the whole transaction with a void as its reason; the link leaves out what is
    the same in both.
    """
    own = key(transaction)
    for holder in (transaction, *transaction):
        if not isinstance(holder.tag, str):
            continue
        for link in children(holder, "TransactionLink"):
            named = local(holder).lower().removeprefix("post").startswith("void")
            reason = attribute(link, "ReasonCode") or text(link, "ReasonCode")
            if named or _VOID.search(reason):
                there = key(link)
                return Key(there.store or own.store, there.till or own.till, there.number, there.date or own.date)
    return None


def retail_part(transaction: _Element) -> _Element | None:
    """The RetailTransaction (or the void transaction that stands in its place)."""
    for part in transaction:
        name = local(part).lower()
        if name == "retailtransaction" or name.removeprefix("post").startswith("voidtransaction"):
            return part
    return None


def control_reason(transaction: _Element) -> str:
    """What a transaction without a retail part is, such as "ControlTransaction: NoSale"."""
    for part in transaction:
        name = local(part)
        if name.endswith("Transaction"):
            inner = next((local(found) for found in part if local(found) not in ("", "ReasonCode")), "")
            return f"{name}: {inner}" if inner else name
    return "no RetailTransaction"


_STATUSES = (
    ("suspend", "suspended"),
    ("retriev", "retrieved from suspension and not finished"),
    ("postvoid", "voided after it was finished"),
    ("void", "voided"),
    ("cancel", "cancelled"),
    ("training", "training"),
    ("refused", "refused"),
    ("failed", "failed"),
)


def no_sale_reason(transaction: _Element, retail: _Element) -> str:
    """Why a retail transaction is no sale; "" when it is one."""
    both = (transaction, retail)
    if any(flag(part, name) for part in both for name in ("TrainingModeFlag", "TrainingFlag")):
        return "training"
    if any(flag(part, name) for part in both for name in ("CopyFlag", "CopyIndicator", "copy", "ReprintFlag")):
        return "copy"
    if any(flag(part, "CancelFlag") for part in both):
        return "cancelled"
    if any(flag(part, name) for part in both for name in ("SuspendFlag", "SuspendedFlag")):
        return "suspended"
    for part in both:
        status = attribute(part, "TransactionStatus") or text(part, "TransactionStatus")
        kind = attribute(part, "TypeCode")
        for word, reason in _STATUSES:
            if any(word in written.lower().replace("-", "").replace(" ", "") for written in (status, kind)):
                return reason
    if local(retail) != "RetailTransaction":
        return "voided"
    return "" if child(retail, "LineItem") is not None else "no line items"

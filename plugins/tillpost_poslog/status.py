"""Which transactions are no sales, and which one voids which."""

from __future__ import annotations

import re

import attrs
from lxml.etree import _Element

from tillpost.kit.xml import attribute, child, local_name, text
from tillpost_poslog.dialects import FLAGS, KINDS, ORDER, STATUSES
from tillpost_poslog.layaway import reserved_reason

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
    for link in transaction.iter("{*}TransactionLink"):
        holder = link.getparent()
        # Of the transaction or its retail part, not of a line of it.
        if holder is None or (holder is not transaction and holder.getparent() is not transaction):
            continue
        named = local_name(holder).lower().removeprefix("post").startswith("void")
        reason = attribute(link, "ReasonCode") or text(link, "ReasonCode")
        if named or _VOID.search(reason):
            there, own = key(link), key(transaction)
            return Key(there.store or own.store, there.till or own.till, there.number, there.date or own.date)
    return None


def retail_part(transaction: _Element) -> _Element | None:
    """The RetailTransaction (or the void transaction that stands in its place)."""
    for part in transaction:
        name = local_name(part).lower()
        if name == "retailtransaction" or name.removeprefix("post").startswith("voidtransaction"):
            return part
    return None


def control_reason(transaction: _Element) -> str:
    """What a transaction without a retail part is, such as "ControlTransaction: NoSale"."""
    for part in transaction:
        name = local_name(part)
        if name.endswith("Transaction"):
            inner = next((local_name(found) for found in part if local_name(found) not in ("", "ReasonCode")), "")
            return f"{name}: {inner}" if inner else name
    return "no RetailTransaction"


def _flagged(transaction: _Element, retail: _Element) -> str:
    found = {
        FLAGS.get(str(name).rpartition("}")[2].lower())
        for part in (transaction, retail)
        for name, value in part.attrib.items()
        if str(value).strip().lower() in ("true", "1")
    }
    return next((reason for reason in ORDER if reason in found), "")


def _status(part: _Element) -> str:
    """The first word of STATUSES in what says of which kind the transaction is."""
    written = [attribute(part, name) for name in KINDS] if part.attrib else []
    written.append(text(part, "TransactionStatus"))
    bare = [each.lower().replace("-", "").replace(" ", "") for each in written if each]
    return next((reason for word, reason in STATUSES if any(word in each for each in bare)), "")


def no_sale_reason(transaction: _Element, retail: _Element) -> str:
    """Why a retail transaction is no sale; "" when it is one."""
    reason = _flagged(transaction, retail) or _status(transaction) or _status(retail)
    if reason:
        return reason
    if local_name(retail) != "RetailTransaction":
        return "voided"
    return reserved_reason(retail) if child(retail, "LineItem") is not None else "no line items"

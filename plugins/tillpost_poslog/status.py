"""Which transactions are skipped, because they are not sales, and which one voids which."""

from __future__ import annotations

import re

import attrs
from lxml.etree import _Element

from tillpost.kit import MakeId, parse_date
from tillpost.kit.xml import attribute, child, local_name, text
from tillpost_poslog.dialects import FLAGS, KINDS, ORDER, STATUSES
from tillpost_poslog.layaway import layaway_reason

VOIDED = ("voided", "voided after it was finished")
"""The reasons of `skip_reason` that take back a sale that may have been finished before."""
_VOID = re.compile(r"(^|:|_|\s|-)(post-?\s?)?void(ed|s|ing)?($|\s|_|-|transaction)", re.IGNORECASE)


@attrs.frozen
class TransactionKey:
    """What names a transaction: store, till, sequence number and business date."""

    store: str
    till: str
    number: str
    date: str

    def __str__(self) -> str:
        return f"store {self.store}, till {self.till}, number {self.number} of {self.date}"


def transaction_key(transaction: _Element) -> TransactionKey:
    """The key of a Transaction (POSLog 2.x RetailStoreID, 6.x BusinessUnit/UnitID)."""
    return TransactionKey(
        store=text(transaction, "RetailStoreID") or text(transaction, "BusinessUnit", "UnitID"),
        till=text(transaction, "WorkstationID"),
        number=text(transaction, "SequenceNumber"),
        date=(text(transaction, "BusinessDayDate") or text(transaction, "EndDateTime"))[:10],
    )


def transaction_id(key: TransactionKey, make_id: MakeId) -> str:
    """The id of the receipt of a transaction. Raises InvalidValue when its key names no receipt."""
    day = parse_date(key.date, "Transaction/BusinessDayDate")
    return make_id(store=key.store, till=key.till, business_date=day, number=key.number)


def voided_by(transaction: _Element) -> TransactionKey | None:
    """The key of the transaction this one voids after it was finished; None when it is not a post-void.

    It is named by a TransactionLink of the whole transaction with a void as its reason; what the link leaves
    out is the same in both.
    """
    for link in transaction.iter("{*}TransactionLink"):
        parent = link.getparent()
        # A link of a line of the transaction is about something else.
        if parent is None or (parent is not transaction and parent.getparent() is not transaction):
            continue
        is_void = local_name(parent).lower().removeprefix("post").startswith("void")
        reason = attribute(link, "ReasonCode") or text(link, "ReasonCode")
        if is_void or _VOID.search(reason):
            target, own = transaction_key(link), transaction_key(transaction)
            return TransactionKey(
                target.store or own.store, target.till or own.till, target.number, target.date or own.date
            )
    return None


def retail_transaction(transaction: _Element) -> _Element | None:
    """The RetailTransaction, or the void transaction in its place; None when there is neither."""
    for part in transaction:
        name = local_name(part).lower()
        if name == "retailtransaction" or name.removeprefix("post").startswith("voidtransaction"):
            return part
    return None


def control_reason(transaction: _Element) -> str:
    """Why a transaction without a retail part is ignored: what it is, such as "ControlTransaction: NoSale"."""
    for part in transaction:
        name = local_name(part)
        if name.endswith("Transaction"):
            inner = next((local_name(found) for found in part if local_name(found) not in ("", "ReasonCode")), "")
            return f"{name}: {inner}" if inner else name
    return "no RetailTransaction"


def _flag_reason(transaction: _Element, retail: _Element) -> str:
    found = {
        FLAGS.get(str(name).rpartition("}")[2].lower())
        for part in (transaction, retail)
        for name, value in part.attrib.items()
        if str(value).strip().lower() in ("true", "1")
    }
    return next((reason for reason in ORDER if reason in found), "")


def _status_reason(part: _Element) -> str:
    """The reason of the first word of STATUSES in a status or type of the transaction."""
    written = [attribute(part, name) for name in KINDS] if part.attrib else []
    written.append(text(part, "TransactionStatus"))
    plain = [status.lower().replace("-", "").replace(" ", "") for status in written if status]
    return next((reason for word, reason in STATUSES if any(word in status for status in plain)), "")


def skip_reason(transaction: _Element, retail: _Element) -> str:
    """Why a retail transaction is skipped; "" when it is a sale."""
    reason = _flag_reason(transaction, retail) or _status_reason(transaction) or _status_reason(retail)
    if reason:
        return reason
    if local_name(retail) != "RetailTransaction":
        return "voided"
    return layaway_reason(retail) if child(retail, "LineItem") is not None else "no line items"

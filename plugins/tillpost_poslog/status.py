"""Which transactions are skipped, because they are not sales, and which one voids which."""

from __future__ import annotations

import re
from functools import lru_cache

import attrs
from lxml.etree import _Element

from tillpost.kit import MakeId, parse_date
from tillpost.kit.xml import attribute, child, children, local_name, text
from tillpost_poslog.dialects import FLAGS, KINDS, ORDER, RESERVED, STANDARD, STATUSES
from tillpost_poslog.layaway import layaway_reason
from tillpost_poslog.names import Names, find_text

VOIDED = ("voided", "voided after it was finished")
"""The reasons of `skip_reason` that take back a sale that may have been finished before."""
_CONTROL = re.compile("control|inventory|session|^$", re.IGNORECASE)
"""Names of transactions that are no sale: they move cash or goods, or the till's state."""
_ARTICLES = (*STANDARD["bought"], *STANDARD["returned"])
_SALE_ITEMS = (*_ARTICLES, *RESERVED, "Tender")
_LONG = 200
"""Characters of statuses that are not remembered."""
_WITHOUT_GAPS = str.maketrans("", "", "-_ ")
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


def transaction_key(transaction: _Element, names: Names) -> TransactionKey:
    """The key of a Transaction, or of the one that a TransactionLink names."""
    return TransactionKey(
        store=find_text(transaction, names["store"]),
        till=find_text(transaction, names["till"]),
        number=find_text(transaction, names["number"]) or _printed_number(transaction),
        date=(find_text(transaction, names["date"]) or text(transaction, "EndDateTime"))[:10],
    )


def _printed_number(transaction: _Element) -> str:
    """The number of a Transaction without a sequence number. A link names another one by it, which has a sequence."""
    if local_name(transaction) != "Transaction":
        return ""
    return find_text(transaction, (("ReceiptNumber",), ("TransactionID",)))


def transaction_id(key: TransactionKey, make_id: MakeId) -> str:
    """The id of the receipt of a transaction. Raises InvalidValue when its key names no receipt."""
    day = parse_date(key.date, "Transaction/BusinessDayDate")
    return make_id(store=key.store, till=key.till, business_date=day, number=key.number)


def voided_by(transaction: _Element, names: Names) -> TransactionKey | None:
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
        if is_void or _VOID.search(reason) or (not reason and _status_reason(transaction) == VOIDED[1]):
            target, own = transaction_key(link, names), transaction_key(transaction, names)
            return TransactionKey(
                target.store or own.store, target.till or own.till, target.number, target.date or own.date
            )
    return None


def _is_void(name: str) -> bool:
    return name.lower().removeprefix("post").startswith("voidtransaction")


def retail_transaction(transaction: _Element, names: Names) -> _Element | None:
    """What is read as a sale: a RetailTransaction or what `names` has for it, or the void transaction in its place.

    Else an element of another name that holds line items as a sale does, or the transaction itself where it does; None
    when there is none.
    """
    sales = names["sale"]
    for part in transaction:
        name = local_name(part)
        if (name,) in sales or _is_void(name):
            return part
    for part in transaction:
        if not _is_control(local_name(part), names) and _has_lines(part, _SALE_ITEMS):
            return part
    return transaction if _has_lines(transaction, _SALE_ITEMS) else None


def _is_control(name: str, names: Names) -> bool:
    return not name or (name,) in names["ignored"] or _CONTROL.search(name) is not None


def is_known_sale(retail: _Element, names: Names) -> bool:
    """Whether its name is that of a sale; else it is taken for one because of what it holds."""
    return (local_name(retail),) in names["sale"]


def _has_lines(part: _Element, items: tuple[str, ...]) -> bool:
    return any(child(entry, name) is not None for entry in children(part, "LineItem") for name in items)


def control_reason(transaction: _Element) -> str:
    """Why a transaction without a sale is ignored: what it is, such as "ControlTransaction: NoSale"."""
    for part in transaction:
        name = local_name(part)
        if name.endswith("Transaction"):
            inner = next((local_name(found) for found in part if local_name(found) not in ("", "ReasonCode")), "")
            return f"{name}: {inner}" if inner else name
    return "no RetailTransaction"


def unread_money(transaction: _Element, names: Names) -> str:
    """What a transaction without a sale holds that only sales have, for the reason it is held; "" when nothing.

    Movements of cash in the drawer (tender control) have tenders and totals of their own, and are no sales.
    """
    for part in transaction:
        name = local_name(part)
        if (name,) in names["ignored"] or (_is_control(name, names) and not _has_lines(part, _ARTICLES)):
            continue
        for found in (part, *part.iter("{*}LineItem", "{*}Tender", "{*}Total")):
            if local_name(found) in ("LineItem", "Tender") or (
                local_name(found) == "Total" and (text(found) or text(found, "Amount")).strip("0.-+ ")
            ):
                return f"{name} with {local_name(found)}" if found is not part else name
    return ""


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
    words = tuple(filter(None, written))
    # Few are met, again and again; long ones are no words, and stay in no memory.
    return _reason_of(words) if sum(map(len, words)) < _LONG else _reason_of.__wrapped__(words)


@lru_cache(maxsize=1024)
def _reason_of(written: tuple[str, ...]) -> str:
    plain = [status.lower().translate(_WITHOUT_GAPS) for status in written]
    return next((reason for word, reason in STATUSES if any(word in status for status in plain)), "")


def skip_reason(transaction: _Element, retail: _Element, names: Names) -> str:
    """Why a retail transaction is skipped; "" when it is a sale, or holds money and may be one."""
    reason = _flag_reason(transaction, retail) or _status_reason(transaction) or _status_reason(retail)
    if reason:
        return reason
    if _is_void(local_name(retail)):
        return "voided"
    if child(retail, "LineItem") is not None:
        return layaway_reason(retail)
    return "" if unread_money(transaction, names) else "no line items"

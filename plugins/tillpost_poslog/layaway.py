"""Articles put aside (layaway) or ordered: a deposit on them is not a sale, their completion is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from lxml.etree import _Element

from tillpost.kit import ZERO
from tillpost.kit.xml import attribute, child, children, decimal, is_true, local_name
from tillpost_poslog.dialects import COMPLETED, ON_ACCOUNT, OTHER_MONEY, RESERVED, STANDARD

_LAYAWAY = tuple(f"{{*}}{name}" for name in (*RESERVED, *ON_ACCOUNT))
_ITEMS = frozenset((*STANDARD["bought"], *STANDARD["returned"], *RESERVED, *OTHER_MONEY, "Rounding"))


def sold(item: _Element) -> bool:
    """Whether a line item of RESERVED is handed over in this transaction."""
    name, default = RESERVED[local_name(item)]
    return (attribute(item, name).lower() or default) in COMPLETED


def _items(retail: _Element) -> Iterator[_Element]:
    """The items of lines that are not voided; none where nothing is put aside or paid on account.

    So it is in nearly every transaction, and costs one search.
    """
    if next(retail.iter(*_LAYAWAY), None) is None:
        return
    for entry in children(retail, "LineItem"):
        if not is_true(entry, "VoidFlag"):
            yield from (item for item in entry if local_name(item) in _ITEMS)


def layaway_reason(retail: _Element) -> str:
    """Why a transaction is skipped in which articles are only put aside or paid off; "" when it may be a sale."""
    items = list(_items(retail))
    names = [local_name(item) for item in items]
    if any(name not in (*RESERVED, *ON_ACCOUNT) for name in names):
        return ""
    if any(local_name(item) in RESERVED and sold(item) for item in items):
        return ""
    if any(name.endswith("Layaway") for name in names):
        return "layaway: put aside or paid off, and not handed over; the sale is its completion"
    if any(name in RESERVED for name in names):
        return "customer order: not handed over; the sale is its completion"
    return "payment on account" if names else ""


def _pays_completed(item: _Element) -> bool:
    """Whether a deposit or payment on account is for an article that is completed in the same transaction."""
    return local_name(item) in ON_ACCOUNT and attribute(item, "AccountCode") in ("", "Layaway", "Order")


def paid_before(retail: _Element) -> tuple[Decimal, ...]:
    """Amounts that may have been paid on completed articles before, each a guess by what this transaction has.

    The deposit beside them; their price less AmountRemaining; their price less what is paid on account today.
    """
    completed = [item for item in _items(retail) if local_name(item) in RESERVED and sold(item)]
    if not completed:
        return ()
    whole = _sum(completed, "ExtendedAmount")
    beside = [item for item in _items(retail) if _pays_completed(item)]
    deposits = _sum(completed, "Deposit") + _sum([item for item in beside if local_name(item) == "Deposit"], "Amount")
    today = [item for item in beside if local_name(item) == "PaymentOnAccount"]
    candidates = [deposits]
    if all(child(item, "AmountRemaining") is not None for item in completed):
        candidates.append(whole - _sum(completed, "AmountRemaining"))
    if today:
        candidates.append(whole - _sum(today, "Amount"))
    return tuple(dict.fromkeys(value for value in candidates if value > 0))


def _sum(items: list[_Element], name: str) -> Decimal:
    return sum((abs(decimal(item, name) or ZERO) for item in items), ZERO)


def deposits(entry: _Element, *, completes_layaway: bool) -> Iterator[tuple[str, str, Decimal]]:
    """Money of a line item that is for no article: sku, name and amount.

    Where an article is completed, what is paid on it is its price.
    """
    for item in children(entry, *OTHER_MONEY, *RESERVED):
        name = local_name(item)
        reserved = name in RESERVED
        if (reserved and sold(item)) or (completes_layaway and _pays_completed(item)):
            continue
        sku = "Deposit" if reserved else name
        label, amount_name = OTHER_MONEY[sku]
        value = decimal(item, "Deposit" if reserved else amount_name)
        if value:
            yield sku, label, value


def completes_layaway(retail: _Element) -> bool:
    """Whether an article put aside earlier is handed over."""
    return any(local_name(item) in RESERVED and sold(item) for item in _items(retail))

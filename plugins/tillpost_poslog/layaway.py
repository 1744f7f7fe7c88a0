"""Articles put aside or ordered: a deposit on them is no sale, their completion is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from lxml.etree import _Element

from tillpost.kit.xml import attribute, child, children, decimal, is_true, local_name
from tillpost_poslog.dialects import COMPLETED, NO_ARTICLES, ON_ACCOUNT, OTHERS, PUT_ASIDE, RETURNS, SALES

ZERO = Decimal(0)
_ASIDE = tuple(f"{{*}}{name}" for name in (*PUT_ASIDE, *ON_ACCOUNT))
_GOODS = frozenset((*SALES, *RETURNS, *PUT_ASIDE, *OTHERS, "Rounding"))


def sold(item: _Element) -> bool:
    """Whether a line item of PUT_ASIDE is handed over now."""
    name, default = PUT_ASIDE[local_name(item)]
    return (attribute(item, name).lower() or default) in COMPLETED


def _plain(retail: _Element) -> bool:
    """Nothing put aside, no deposit: nearly every transaction, told at once."""
    return next(retail.iter(*_ASIDE), None) is None


def _items(retail: _Element) -> Iterator[_Element]:
    for entry in children(retail, "LineItem"):
        if not is_true(entry, "VoidFlag"):
            yield from (item for item in entry if local_name(item) in _GOODS)


def reserved_reason(retail: _Element) -> str:
    """Why a transaction is no sale in which articles are only put aside or paid off; "" when it may be one."""
    if _plain(retail):
        return ""
    items = list(_items(retail))
    found = [local_name(item) for item in items]
    if any(name not in (*PUT_ASIDE, *ON_ACCOUNT) for name in found):
        return ""
    if any(local_name(item) in PUT_ASIDE and sold(item) for item in items):
        return ""
    if any(name.endswith("Layaway") for name in found):
        return "layaway: put aside or paid off, and not handed over; the sale is its completion"
    if any(name in PUT_ASIDE for name in found):
        return "customer order: not handed over; the sale is its completion"
    return "payment on account" if found else ""


def _on_it(item: _Element) -> bool:
    """Whether money paid on account, or a deposit, is for an article that is completed beside it."""
    return local_name(item) in ON_ACCOUNT and attribute(item, "AccountCode") in ("", "Layaway", "Order")


def paid_before(retail: _Element) -> tuple[Decimal, ...]:
    """What may have been paid on completed articles in earlier transactions, as far as this one says.

    The deposit that stands with them, what is no longer part of AmountRemaining, or what is not paid on account today.
    """
    if _plain(retail):
        return ()
    completed = [item for item in _items(retail) if local_name(item) in PUT_ASIDE and sold(item)]
    if not completed:
        return ()
    whole = _sum(completed, "ExtendedAmount")
    beside = [item for item in _items(retail) if _on_it(item)]
    deposits = _sum(completed, "Deposit") + _sum([item for item in beside if local_name(item) == "Deposit"], "Amount")
    today = [item for item in beside if local_name(item) == "PaymentOnAccount"]
    told = [deposits]
    if all(child(item, "AmountRemaining") is not None for item in completed):
        told.append(whole - _sum(completed, "AmountRemaining"))
    if today:
        told.append(whole - _sum(today, "Amount"))
    return tuple(dict.fromkeys(value for value in told if value > 0))


def _sum(items: list[_Element], name: str) -> Decimal:
    return sum((abs(decimal(item, name) or ZERO) for item in items), ZERO)


def deposits(entry: _Element, *, completing: bool) -> Iterator[tuple[str, str, Decimal]]:
    """Money of a line item that comes in for no article: sku, name and amount.

    Where something is completed, what is paid on it is the price of the article.
    """
    for item in children(entry, *OTHERS, *PUT_ASIDE):
        name = local_name(item)
        aside = name in PUT_ASIDE
        if (aside and sold(item)) or (completing and _on_it(item)):
            continue
        sku = "Deposit" if aside else name
        label, where = OTHERS[sku]
        value = decimal(item, "Deposit" if aside else where)
        if value:
            yield sku, label, value


def completing(retail: _Element) -> bool:
    """Whether something put aside earlier is handed over."""
    return not _plain(retail) and any(local_name(item) in PUT_ASIDE and sold(item) for item in _items(retail))


def deposit_sign(kind: str) -> int:
    """The sign of what an ItemType that is no article adds; 0 for an article."""
    return NO_ARTICLES.get(kind.rpartition(":")[2], 0)

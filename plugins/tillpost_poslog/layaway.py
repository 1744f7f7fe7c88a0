"""Articles put aside or ordered: a deposit on them is no sale, their completion is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from lxml.etree import _Element

from tillpost_poslog.dialects import COMPLETED, NO_ARTICLES, ON_ACCOUNT, OTHERS, PUT_ASIDE, RETURNS, SALES
from tillpost_xml.element import attribute, children, decimal, flag, local

ZERO = Decimal(0)
_ASIDE = tuple(f"{{*}}{name}" for name in (*PUT_ASIDE, *ON_ACCOUNT))
_GOODS = frozenset((*SALES, *RETURNS, *PUT_ASIDE, *OTHERS, "Rounding"))


def sold(item: _Element) -> bool:
    """Whether a line item of PUT_ASIDE is handed over now."""
    name, default = PUT_ASIDE[local(item)]
    return (attribute(item, name).lower() or default) in COMPLETED


def _plain(retail: _Element) -> bool:
    """Nothing put aside, no deposit: nearly every transaction, told at once."""
    return next(retail.iter(*_ASIDE), None) is None


def _items(retail: _Element) -> Iterator[_Element]:
    for entry in children(retail, "LineItem"):
        if not flag(entry, "VoidFlag"):
            yield from (item for item in entry if local(item) in _GOODS)


def reserved_reason(retail: _Element) -> str:
    """Why a transaction is no sale in which articles are only put aside or paid off; "" when it may be one."""
    if _plain(retail):
        return ""
    found = [local(item) for item in _items(retail) if local(item) not in PUT_ASIDE or not sold(item)]
    if len(found) < sum(1 for _ in _items(retail)) or any(name not in (*PUT_ASIDE, *ON_ACCOUNT) for name in found):
        return ""
    if any(name.endswith("Layaway") for name in found):
        return "layaway: put aside or paid off, and not handed over; the sale is its completion"
    if any(name in PUT_ASIDE for name in found):
        return "customer order: not handed over; the sale is its completion"
    return "payment on account" if found else ""


def paid_before(retail: _Element) -> tuple[Decimal, ...]:
    """What may have been paid on completed articles in earlier transactions, as far as this one says.

    The deposit that stands with them, or what is no longer part of AmountRemaining.
    """
    if _plain(retail):
        return ()
    completed = [item for item in _items(retail) if local(item) in PUT_ASIDE and sold(item)]
    deposits = sum((abs(decimal(item, "Deposit") or ZERO) for item in completed), ZERO)
    deposits += sum(
        (abs(decimal(item, "Amount") or ZERO) for item in _items(retail) if completed and local(item) == "Deposit"),
        ZERO,
    )
    left = [decimal(item, "AmountRemaining") for item in completed]
    whole = sum((decimal(item, "ExtendedAmount") or ZERO for item in completed), ZERO)
    by_rest = whole - sum((each for each in left if each is not None), ZERO) if None not in left else ZERO
    return tuple(dict.fromkeys(value for value in (deposits, by_rest) if value > 0))


def deposits(entry: _Element, *, completing: bool) -> Iterator[tuple[str, str, Decimal]]:
    """Money of a line item that comes in for no article: sku, name and amount.

    Where something is completed, its deposit is not money of today.
    """
    for item in children(entry, *OTHERS, *PUT_ASIDE):
        name = local(item)
        aside = name in PUT_ASIDE
        if (aside and sold(item)) or (completing and name == "Deposit"):
            continue
        sku = "Deposit" if aside else name
        label, where = OTHERS[sku]
        value = decimal(item, "Deposit" if aside else where)
        if value:
            yield sku, label, value


def completing(retail: _Element) -> bool:
    """Whether something put aside earlier is handed over."""
    return not _plain(retail) and any(local(item) in PUT_ASIDE and sold(item) for item in _items(retail))


def deposit_sign(kind: str) -> int:
    """The sign of what an ItemType that is no article adds; 0 for an article."""
    return NO_ARTICLES.get(kind.rpartition(":")[2], 0)

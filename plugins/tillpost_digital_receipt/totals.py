"""What a receipt's total may be: the Totals that are there, and what its tenders sum to where there is none."""

from __future__ import annotations

from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit.xml import attribute, children, decimal
from tillpost_digital_receipt.status import GRAND

_PREFERRED = (GRAND, "TransactionNetAmount", "TransactionGrossAmount", "")
_NO_TOTALS = ("Tax", "Saving", "Discount", "NonSales", "NonResettable", "Quantity", "Count", "Points", "Rounding")
"""Words in the type of a Total that is no sum of the receipt."""


@attrs.frozen
class Total:
    """A Total with its type and its value as written."""

    element: _Element
    type: str
    value: Decimal


def read_totals(retail: _Element) -> list[Total]:
    """The Totals that may be the receipt's, the grand total first. Raises InvalidValue when there is none."""
    found: list[Total] = []
    others: list[str] = []
    for element in children(retail, "Total"):
        kind = attribute(element, "TotalType").rpartition(":")[2]
        value = decimal(element)
        if value is None or any(word in kind for word in _NO_TOTALS):
            others.append(kind or "without a type")
        else:
            found.append(Total(element, kind, value))
    if not found:
        there = f"; there are {', '.join(others)}" if others else ""
        raise InvalidValue(f"a Total is missing, such as one of type {GRAND}{there}", place="RetailTransaction")
    order = {kind: index for index, kind in enumerate(_PREFERRED)}
    return sorted(found, key=lambda total: order.get(total.type, len(order)))

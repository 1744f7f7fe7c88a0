"""The rounding of cash that a till writes as a tender."""

from __future__ import annotations

from decimal import Decimal

from lxml.etree import _Element

from tillpost import kit
from tillpost.kit import ZERO
from tillpost.kit.xml import attribute, children, decimal
from tillpost_digital_receipt.line_items import is_voided


def is_rounding(tender: _Element) -> bool:
    """Whether a Tender is no payment: `Rounding`, `X:Rounding`, `PennyRounding`, `X:Öresavrundning`."""
    return kit.is_rounding(attribute(tender, "TenderType"))


def rounding_tendered(retail: _Element) -> Decimal:
    """The amount of rounding that is written as tenders, without a sign."""
    return sum(
        (
            abs(decimal(tender, "Amount") or ZERO)
            for entry in children(retail, "LineItem")
            if not is_voided(entry)
            for tender in children(entry, "Tender")
            if is_rounding(tender)
        ),
        ZERO,
    )

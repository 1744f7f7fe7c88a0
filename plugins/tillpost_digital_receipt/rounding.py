"""The rounding of cash that a till writes as a tender."""

from __future__ import annotations

from decimal import Decimal

from lxml.etree import _Element

from tillpost.kit import ZERO
from tillpost.kit.xml import attribute, children, decimal
from tillpost_digital_receipt.line_items import is_voided

ROUNDING_AS_TENDER = "rounding-as-tender"
"""The flag of a receipt whose rounding is a tender in the export, and a line of the receipt."""


def is_rounding(tender: _Element) -> bool:
    """Whether a Tender is no payment: `Rounding`, `X:Rounding`, `PennyRounding`."""
    return attribute(tender, "TenderType").lower().endswith("rounding")


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

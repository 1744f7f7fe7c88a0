"""Adapter `digital-receipt`: ARTS Digital Receipt 2.0 with the Swedish extension (digitala kvitton)."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_digital_receipt.parse import parse
from tillpost_digital_receipt.settings import Settings


@attrs.frozen
class DigitalReceiptAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every Transaction of the document, one at a time."""
        return parse(document, self.settings, self.context.receipt_id)


plugin = simple(
    "ARTS Digital Receipt 2.0 with the Swedish extension (XML)",
    "adapter",
    Settings,
    DigitalReceiptAdapter,
    # No sequence: only customers who ask for it get a digital receipt, so numbers are missing between them.
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

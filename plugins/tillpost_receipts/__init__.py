"""Adapter `receipts`: Tillpost's own JSON form, one receipt a line, or an array of them."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_receipts.parse import parse
from tillpost_receipts.settings import Settings


@attrs.frozen
class ReceiptsAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every record of the document, read line by line."""
        return parse(document, self.context.receipt_id, self.settings.largest)


plugin = simple(
    "Receipts in Tillpost's own JSON form, one a line or an array of them",
    "adapter",
    Settings,
    ReceiptsAdapter,
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

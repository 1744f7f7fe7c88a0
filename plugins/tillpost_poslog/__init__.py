"""Adapter `poslog`: ARTS/NRF POSLog 2.x and 6.x, as many tills export their day."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_poslog.parse import parse
from tillpost_poslog.settings import Settings


@attrs.frozen
class PoslogAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every Transaction of the document, one at a time."""
        return parse(document, self.settings, self.context.receipt_id)


plugin = simple(
    "ARTS/NRF POSLog 2.x and 6.x (XML)",
    "adapter",
    Settings,
    PoslogAdapter,
    capabilities=("customer", "sequence", "linked returns", "discounts", "taxes", "tenders"),
)

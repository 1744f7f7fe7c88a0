"""Adapter `zettle`: purchases and refunds of the Zettle Purchase API."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_zettle.parse import parse
from tillpost_zettle.settings import Settings


@attrs.frozen
class ZettleAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every purchase of the document; a refund is a purchase with negative amounts."""
        return parse(document, self.settings, self.context.receipt_id)


plugin = simple(
    "Purchases and refunds of Zettle (JSON of the Purchase API)",
    "adapter",
    Settings,
    ZettleAdapter,
    capabilities=("sequence", "linked returns", "discounts", "taxes", "tenders"),
)

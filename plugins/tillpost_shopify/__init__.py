"""Adapter `shopify`: orders and refunds of the Shopify Admin REST API, from files and from webhook bodies."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_shopify.parse import parse
from tillpost_shopify.settings import Settings


@attrs.frozen
class ShopifyAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every order of the document, and every refund: its own receipt."""
        return parse(document, self.settings, self.context.receipt_id)


plugin = simple(
    "Orders and refunds of Shopify (JSON, by file or webhook body)",
    "adapter",
    Settings,
    ShopifyAdapter,
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

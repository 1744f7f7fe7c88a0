"""Adapter `square`: orders of Square, as its API answers them."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_square.parse import parse
from tillpost_square.settings import Settings


@attrs.frozen
class SquareAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every order of the document."""
        return parse(document, self.settings, self.context.receipt_id)


plugin = simple(
    "orders of Square (JSON)",
    "adapter",
    Settings,
    SquareAdapter,
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

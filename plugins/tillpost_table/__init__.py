"""Adapter `table`: any CSV or JSON lines, by a mapping of columns declared in the configuration."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_table.parse import parse
from tillpost_table.settings import Settings


@attrs.frozen
class TableAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every receipt of the document, a group of rows at a time."""
        return parse(document, self.settings, self.context.receipt_id)


plugin = simple(
    "Any CSV or JSON lines, by a declared mapping of columns",
    "adapter",
    Settings,
    TableAdapter,
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

"""Adapter `saft-no`: Norwegian SAF-T Cash Register 1.00, the export every till in Norway must be able to make."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost import Context, hookimpl, simple
from tillpost.model import Document, Parsed
from tillpost_saft_no.parse import parse
from tillpost_saft_no.settings import Settings


@attrs.frozen
class SaftNoAdapter:
    """The hook of the adapter."""

    settings: Settings
    context: Context

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        """Every cashtransaction and event of the document, one at a time."""
        return parse(document, self.settings, self.context.receipt_id)


plugin = simple(
    "Norwegian SAF-T Cash Register 1.00 (XML)",
    "adapter",
    Settings,
    SaftNoAdapter,
    capabilities=("customer", "sequence", "linked returns", "discounts", "taxes", "tenders"),
)

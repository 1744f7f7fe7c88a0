"""Adapter `zettle`: purchases and refunds of the Zettle Purchase API."""

from tillpost.kit import adapter
from tillpost_zettle.parse import parse
from tillpost_zettle.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "Purchases and refunds of Zettle (JSON of the Purchase API)",
    capabilities=("sequence", "linked returns", "discounts", "taxes", "tenders"),
)

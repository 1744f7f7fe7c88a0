"""Adapter `corner`: orders of Corner, as its API answers them."""

from tillpost.kit import adapter
from tillpost_corner.parse import parse
from tillpost_corner.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "orders of Corner (JSON)",
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

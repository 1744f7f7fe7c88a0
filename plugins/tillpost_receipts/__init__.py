"""Adapter `receipts`: Tillpost's own JSON form, one receipt a line, or an array of them."""

from tillpost.kit import adapter
from tillpost_receipts.parse import parse
from tillpost_receipts.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "Receipts in Tillpost's own JSON form, one a line or an array of them",
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

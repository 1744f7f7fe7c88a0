"""Adapter `digital-receipt`: ARTS Digital Receipt 2.0 with the Swedish extension (digitala kvitton)."""

from tillpost.kit import adapter
from tillpost_digital_receipt.parse import parse
from tillpost_digital_receipt.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "ARTS Digital Receipt 2.0 with the Swedish extension (XML)",
    # No sequence: only customers who ask for it get a digital receipt, so numbers are missing between them.
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

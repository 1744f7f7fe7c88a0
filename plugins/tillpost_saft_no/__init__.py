"""Adapter `saft-no`: Norwegian SAF-T Cash Register 1.00, the export every till in Norway must be able to make."""

from tillpost.kit import adapter
from tillpost_saft_no.parse import parse
from tillpost_saft_no.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "Norwegian SAF-T Cash Register 1.00 (XML)",
    capabilities=("customer", "sequence", "linked returns", "discounts", "taxes", "tenders"),
)

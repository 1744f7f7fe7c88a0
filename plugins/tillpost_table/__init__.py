"""Adapter `table`: any CSV or JSON lines, by a mapping of columns declared in the configuration."""

from tillpost.kit import adapter
from tillpost_table.parse import parse
from tillpost_table.presets import presets
from tillpost_table.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "Any CSV or JSON lines, by a declared mapping of columns",
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
    presets=presets,
)

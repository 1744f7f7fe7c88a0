"""Adapter `square`: orders of Square, as its API answers them."""

from tillpost.kit import adapter
from tillpost_square.parse import parse
from tillpost_square.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "Orders of Square (JSON), with the payments and refunds beside them",
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

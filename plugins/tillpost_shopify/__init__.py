"""Adapter `shopify`: orders and refunds of the Shopify Admin REST API, from files and from webhook bodies."""

from tillpost.kit import adapter
from tillpost_shopify.parse import parse
from tillpost_shopify.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "Orders and refunds of Shopify (JSON, by file or webhook body)",
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
)

"""Adapter `lightspeed`: sales of Lightspeed Retail, R-Series and X-Series (Vend), as their APIs answer them."""

from tillpost.kit import adapter
from tillpost_lightspeed.parse import parse, recognise
from tillpost_lightspeed.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "Sales of Lightspeed Retail, R-Series and X-Series (JSON)",
    capabilities=("customer", "discounts", "taxes", "tenders"),
    recognise=recognise,
)

"""Adapter `poslog`: ARTS/NRF POSLog 2.x and 6.x, as many tills export their day."""

from tillpost.kit import adapter
from tillpost_poslog.parse import parse
from tillpost_poslog.recognise import recognise
from tillpost_poslog.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "ARTS/NRF POSLog 2.x and 6.x (XML)",
    capabilities=("customer", "sequence", "linked returns", "discounts", "taxes", "tenders"),
    recognise=recognise,
)

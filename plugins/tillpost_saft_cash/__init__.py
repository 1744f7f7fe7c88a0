"""Adapter `saft-cash`: SAF-T Cash Register of Norway and Denmark, the export every till there must be able to make."""

from tillpost.kit import adapter
from tillpost_saft_cash.parse import parse
from tillpost_saft_cash.recognise import recognise
from tillpost_saft_cash.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "SAF-T Cash Register of Norway and Denmark (XML)",
    capabilities=("customer", "sequence", "linked returns", "discounts", "taxes", "tenders"),
    recognise=recognise,
)

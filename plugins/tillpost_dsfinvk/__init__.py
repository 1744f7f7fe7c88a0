"""Adapter `dsfinvk`: DSFinV-K, the export that every till in Germany must be able to make."""

from tillpost.kit import adapter
from tillpost_dsfinvk.parse import parse, recognise
from tillpost_dsfinvk.settings import Settings

plugin = adapter(
    parse,
    Settings,
    "DSFinV-K: the German export of tills, a zip of CSV files",
    capabilities=("customer", "linked returns", "discounts", "taxes", "tenders"),
    recognise=recognise,
)

"""What the author of an adapter uses to read a till's document: the plugin, JSON, money and local time.

XML is in `tillpost.kit.xml`, which loads lxml; importing this package does not.
"""

from tillpost.kit.json import JsonObject, JsonRecord, json_records, parse_clean_json, parse_json
from tillpost.kit.money import minor_digits, mismatch, parse_decimal, round_money, spread
from tillpost.kit.plugin import adapter
from tillpost.kit.text import CONTROL_CHARACTERS, clean
from tillpost.kit.time import local_time, parse_date, parse_time
from tillpost.model.identity import MakeId

__all__ = [
    "CONTROL_CHARACTERS",
    "JsonObject",
    "JsonRecord",
    "MakeId",
    "adapter",
    "clean",
    "json_records",
    "local_time",
    "minor_digits",
    "mismatch",
    "parse_clean_json",
    "parse_date",
    "parse_decimal",
    "parse_json",
    "parse_time",
    "round_money",
    "spread",
]

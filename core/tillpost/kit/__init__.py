"""What an adapter is written with: its plugin, JSON, money, local time, and the parts of a receipt.

XML is in `tillpost.kit.xml`, which loads lxml; importing this package does not.
"""

from tillpost.kit.json import JsonObject, JsonRecord, XmlJsonObject, json_records, parse_clean_json, parse_json
from tillpost.kit.money import minor_digits, mismatch, parse_decimal, round_lines, round_money, spread
from tillpost.kit.plugin import adapter
from tillpost.kit.readings import Reading, first_reading
from tillpost.kit.receipt_parts import (
    TAX_OFF,
    ZERO,
    adjustment,
    balanced_tenders,
    line_kind,
    negated,
    spread_discount,
    tax,
    vat_of_lines,
)
from tillpost.kit.record import read_record, voided_id
from tillpost.kit.rounding import ROUNDING, ROUNDING_AS_TENDER, is_rounding, with_rounding_as_line
from tillpost.kit.text import CONTROL_CHARACTERS, clean, masked, quoted
from tillpost.kit.time import local_time, parse_date, parse_time
from tillpost.kit.unpacked import unpacked
from tillpost.kit.written import WrittenNumber, broken_id, plain_text, unquoted, written_number
from tillpost.kit.written_time import AmbiguousMonth, parse_named_time, spreadsheet_time
from tillpost.model.identity import MakeId

__all__ = [
    "CONTROL_CHARACTERS",
    "ROUNDING",
    "ROUNDING_AS_TENDER",
    "TAX_OFF",
    "ZERO",
    "AmbiguousMonth",
    "JsonObject",
    "JsonRecord",
    "MakeId",
    "Reading",
    "WrittenNumber",
    "XmlJsonObject",
    "adapter",
    "adjustment",
    "balanced_tenders",
    "broken_id",
    "clean",
    "first_reading",
    "is_rounding",
    "json_records",
    "line_kind",
    "local_time",
    "masked",
    "minor_digits",
    "mismatch",
    "negated",
    "parse_clean_json",
    "parse_date",
    "parse_decimal",
    "parse_json",
    "parse_named_time",
    "parse_time",
    "plain_text",
    "quoted",
    "read_record",
    "round_lines",
    "round_money",
    "spread",
    "spread_discount",
    "spreadsheet_time",
    "tax",
    "unpacked",
    "unquoted",
    "vat_of_lines",
    "voided_id",
    "with_rounding_as_line",
    "written_number",
]

"""The values that walk the line: frozen, checked when they are made."""

from tillpost.model.customer import IDENTIFIER_KINDS, Contact, Customer, Identifier, IdentifierKind
from tillpost.model.document import Broken, Document, Found, NoReceipt, Parsed
from tillpost.model.identity import DEFAULT_RECIPE, check_recipe, receipt_id
from tillpost.model.json_document import JsonRecord, json_records
from tillpost.model.json_values import JsonObject, parse_clean_json, parse_json
from tillpost.model.moment import local_time, parse_day, parse_time
from tillpost.model.money import minor_digits, parse_decimal, round_money, spread
from tillpost.model.outcome import (
    Conflict,
    Delivered,
    Failure,
    Gone,
    Identified,
    MaybeSent,
    Misconfigured,
    NotSent,
    Outcome,
    Refused,
    Throttled,
)
from tillpost.model.payload import FallbackBatch, FallbackFile, NotWritten, Payload, WrittenFiles
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender
from tillpost.model.text import CLEANED, clean

__all__ = [
    "CLEANED",
    "DEFAULT_RECIPE",
    "IDENTIFIER_KINDS",
    "Broken",
    "Conflict",
    "Contact",
    "Customer",
    "Delivered",
    "Discount",
    "Document",
    "Failure",
    "FallbackBatch",
    "FallbackFile",
    "Found",
    "Gone",
    "Identified",
    "Identifier",
    "IdentifierKind",
    "JsonObject",
    "JsonRecord",
    "Line",
    "LineKind",
    "MaybeSent",
    "Misconfigured",
    "NoReceipt",
    "NotSent",
    "NotWritten",
    "Outcome",
    "Parsed",
    "Payload",
    "Promotion",
    "RawRef",
    "Receipt",
    "Refused",
    "Tax",
    "Tender",
    "Throttled",
    "WrittenFiles",
    "check_recipe",
    "clean",
    "json_records",
    "local_time",
    "minor_digits",
    "parse_clean_json",
    "parse_day",
    "parse_decimal",
    "parse_json",
    "parse_time",
    "receipt_id",
    "round_money",
    "spread",
]

"""The values a pipeline works with: immutable, checked when they are created."""

from tillpost.model.customer import IDENTIFIER_KINDS, Contact, Customer, Identifier, IdentifierKind
from tillpost.model.document import Broken, Document, DocumentTrouble, Found, NoReceipt, Parsed
from tillpost.model.identifier_rules import STRONG, UNUSABLE, IdentifierRules
from tillpost.model.identity import DEFAULT_RECIPE, check_recipe, receipt_id
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
    Tenant,
    Throttled,
)
from tillpost.model.payload import FallbackBatch, FallbackFile, NotWritten, Payload, WrittenFiles
from tillpost.model.receipt import Discount, Line, LineKind, Promotion, RawRef, Receipt, Tax, Tender

__all__ = [
    "DEFAULT_RECIPE",
    "IDENTIFIER_KINDS",
    "STRONG",
    "UNUSABLE",
    "Broken",
    "Conflict",
    "Contact",
    "Customer",
    "Delivered",
    "Discount",
    "Document",
    "DocumentTrouble",
    "Failure",
    "FallbackBatch",
    "FallbackFile",
    "Found",
    "Gone",
    "Identified",
    "Identifier",
    "IdentifierKind",
    "IdentifierRules",
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
    "Tenant",
    "Tender",
    "Throttled",
    "WrittenFiles",
    "check_recipe",
    "receipt_id",
]

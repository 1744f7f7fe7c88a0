"""The format of a receipt: the synchronous 400 of POST /api/v3/receipts.

Source: contract, section 2, the table of fields. The same rules apply to a receipt in a file.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from tillpost_sandbox.identifiers import match_key_type
from tillpost_sandbox.request import FieldError

_OFFSET_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?([+-]\d\d:\d\d|Z)")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LARGEST = Decimal(10) ** 15  # more is not a price but a mistake, and sums would become too long


@attrs.frozen
class Field:
    """One field of the contract: its kind, whether it is required, and the fields or items below it."""

    kind: str  # text, decimal, integer, bool, time, currency, object, list or extra
    required: bool = False
    below: "dict[str, Field] | None" = None
    item: str = ""  # the element name of one entry of a list, in a file


def _required(kind: str) -> Field:
    return Field(kind, required=True)


EXTRA = Field("extra", below={"name": _required("text"), "value": Field("scalar")}, item="item")
CONTACT = {"matchKey": _required("text"), "matchKeyType": _required("text"), "contactType": Field("text")}
TAX = {"description": Field("text")} | dict.fromkeys(
    ("value", "percent", "totalIncludingTax", "totalExcludingTax"), Field("decimal")
)
PAYMENT = {"type": _required("text"), "description": Field("text"), "value": _required("decimal"), "extraData": EXTRA}
DISCOUNT = {"type": Field("text"), "description": Field("text"), "value": _required("decimal")}
PROMOTION = {"promotionId": Field("text"), "couponId": Field("text")}
ITEM = {
    "type": _required("text"),
    "sku": _required("text"),
    "quantity": _required("integer"),
    "packQuantity": Field("decimal"),
    "grossPaidPrice": _required("decimal"),
    "taxAmount": _required("decimal"),
    "taxPercent": _required("decimal"),
    "articleNumber": _required("text"),
    "articleName": _required("text"),
    "articleGroup": Field("text"),
    "marginPercent": Field("decimal"),
    "awardsBonus": Field("bool"),
    "discounts": Field("list", below=DISCOUNT, item="discount"),
    "extraData": EXTRA,
}
RECEIPT = {
    "contact": Field("object", required=True, below=CONTACT),
    "uniqueReceiptId": _required("text"),
    "receiptNumber": Field("text"),
    "createdDate": _required("time"),
    "storeExternalId": _required("text"),
    "currency": _required("currency"),
    "exchangeRateToGroupCurrency": Field("decimal"),
    "totalGrossPrice": _required("decimal"),
    "taxDetails": Field("list", below=TAX, item="taxDetail"),
    "paymentMethods": Field("list", required=True, below=PAYMENT, item="paymentMethod"),
    "items": Field("list", required=True, below=ITEM, item="item"),
    "usedBonusChecks": Field("list", below={"checkNumber": _required("text")}, item="usedBonusCheck"),
    "usedPromotions": Field("list", below=PROMOTION, item="usedPromotion"),
    "extraData": EXTRA,
}


def format_errors(body: object) -> list[FieldError]:
    """All errors of format; empty for a valid receipt."""
    if not isinstance(body, dict):
        return [FieldError("", "a receipt must be a JSON object")]
    errors = list(_object_errors("", body, RECEIPT))
    return errors or list(_sign_errors(body))


def unknown_fields(body: dict[str, Any]) -> list[str]:
    """Fields of a receipt or its lines that the contract does not name: accepted, with a line in the log."""
    found = [name for name in body if name not in RECEIPT]
    for index, item in enumerate(body.get("items") or ()):
        found += [f"items[{index}].{name}" for name in item if name not in ITEM]
    return found


def sum_difference(body: dict[str, Any], price_basis: str) -> Decimal:
    """totalGrossPrice less the sum of the lines, by the price basis in force; 0 when they agree."""
    total = Decimal(0)
    for item in body["items"]:
        quantity, price = item["quantity"], Decimal(item["grossPaidPrice"])
        total += price * (quantity if price_basis == "unit" else (1 if quantity > 0 else -1))
    return Decimal(body["totalGrossPrice"]) - total


def _object_errors(place: str, value: dict[str, Any], fields: dict[str, Field]) -> Iterator[FieldError]:
    for name, field in fields.items():
        here = f"{place}.{name}" if place else name
        if value.get(name) is None:
            if field.required:
                yield FieldError(here, "is required")
        else:
            yield from _value_errors(here, value[name], field)


def _value_errors(here: str, value: object, field: Field) -> Iterator[FieldError]:
    if field.kind in ("list", "extra"):
        if not isinstance(value, list):
            yield FieldError(here, "must be a list")
            return
        if field.required and not value:
            yield FieldError(here, "must have at least one entry")
        for index, entry in enumerate(value):
            yield from _value_errors(f"{here}[{index}]", entry, Field("object", below=field.below))
    elif field.kind == "object":
        if isinstance(value, dict):
            yield from _object_errors(here, value, field.below or {})
        else:
            yield FieldError(here, "must be an object")
    else:
        message = _scalar_error(value, field)
        if message:
            yield FieldError(here, message)


def _scalar_error(value: object, field: Field) -> str | None:
    match field.kind, value:
        case "scalar", str() | int() | Decimal():
            return None
        case "text", str():
            return "must not be empty" if field.required and not value.strip() else None
        case "bool", bool():
            return None
        case (("decimal" | "integer"), bool()):
            return "must be a number"
        case "integer", int():
            return None if abs(value) < _LARGEST else "is too large"
        case "decimal", int() | Decimal():
            return _size_error(Decimal(value))
        case "time", str():
            return _time_error(value)
        case "currency", str():
            return None if _CURRENCY.fullmatch(value) else "must be an ISO 4217 code of three capitals"
    return {"decimal": "must be a number, not a text", "integer": "must be a whole number"}.get(
        field.kind, f"must be a {'text' if field.kind in ('time', 'currency') else field.kind}"
    )


def _size_error(value: Decimal) -> str | None:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or value.adjusted() > 15 or abs(value) >= _LARGEST:
        return "is too large"
    return "has more than 10 decimals" if exponent < -10 else None


def _time_error(value: str) -> str | None:
    if not _OFFSET_TIME.fullmatch(value):
        return "must be local time with its offset, such as 2018-09-06T15:55:54+01:00"
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "is not a date and time of the calendar"
    return None


def _sign_errors(body: dict[str, Any]) -> Iterator[FieldError]:
    if match_key_type(body["contact"]["matchKeyType"]) is None:
        yield FieldError("contact.matchKeyType", "is not one of the contract's types")
    rate = body.get("exchangeRateToGroupCurrency")
    if rate is not None and rate <= 0:
        yield FieldError("exchangeRateToGroupCurrency", "must be over 0")
    for index, item in enumerate(body["items"]):
        here, kind, quantity = f"items[{index}]", item["type"], item["quantity"]
        if kind not in ("PURCHASE", "RETURN", "ADJUSTMENT"):
            yield FieldError(f"{here}.type", "must be PURCHASE, RETURN or ADJUSTMENT")
        if quantity == 0:
            yield FieldError(f"{here}.quantity", "must not be 0")
        if (kind == "RETURN" and quantity > 0) or (kind == "PURCHASE" and quantity < 0):
            yield FieldError(f"{here}.quantity", f"has the wrong sign for a {kind}")
        if kind != "ADJUSTMENT" and item["grossPaidPrice"] < 0:
            yield FieldError(f"{here}.grossPaidPrice", "must be positive; a return has a negative quantity")
        for number, discount in enumerate(item.get("discounts") or ()):
            if discount["value"] > 0:
                yield FieldError(f"{here}.discounts[{number}].value", "must be negative")

"""A receipt in Engage's shape, by the table "Save a receipt" of the contract. Pure.

The rule: the lines add up to totalGrossPrice, as `sign(quantity) * grossPaidPrice` by line and `quantity *
grossPaidPrice` by unit. Prices are never negative; the quantity has the sign of what a line adds.
"""

from __future__ import annotations

import collections.abc
from decimal import Decimal
from typing import Any

import attrs

from tillpost import InvalidValue, hookimpl
from tillpost.kit import minor_digits
from tillpost.model import Identifier, Line, Payload, Receipt, Tax, Tender
from tillpost_engage.settings import MapSettings

MOST_EXTRA = 10  # strings of extraData a tenant may have (contract)
_MOST_PIECES = 10**9
_MOST_DECIMALS = 6


@attrs.frozen
class Mapping:
    """The hook of the slot `map`."""

    settings: MapSettings

    @hookimpl
    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload:
        """The receipt as POST /receipts takes it. Raises InvalidValue for what Engage cannot hold."""
        return Payload(receipt_id=receipt.id, match=match, fields=_receipt(receipt, match, self.settings))


def _receipt(receipt: Receipt, match: Identifier, settings: MapSettings) -> dict[str, Any]:
    place = f"receipt {receipt.number or '?'} of store {receipt.store}"
    if not receipt.lines:
        raise InvalidValue("has no lines; Engage accepts no receipt without lines", place=place)
    # Engage requires a payment, also where an even exchange was paid with nothing; then the total is 0.
    nothing = {"type": "none", "value": receipt.total}
    contact = {"matchKey": match.value, "matchKeyType": match.kind}
    if match.kind != "contactId" and settings.contact_type:
        contact["contactType"] = settings.contact_type
    return _filled(
        {
            "contact": contact,
            "uniqueReceiptId": receipt.id,
            "receiptNumber": receipt.number,
            "createdDate": receipt.created.isoformat(timespec="seconds"),
            "storeExternalId": receipt.store,
            "currency": receipt.currency,
            "exchangeRateToGroupCurrency": settings.exchange_rates.get(receipt.currency),
            "totalGrossPrice": receipt.total,
            "taxDetails": [_tax(tax) for tax in receipt.taxes],
            "paymentMethods": [_payment(tender, place) for tender in receipt.tenders] or [nothing],
            "items": [_item(line, receipt.currency, settings.price_basis) for line in receipt.lines],
            "usedBonusChecks": [{"checkNumber": number} for number in receipt.vouchers],
            "usedPromotions": [
                _filled({"promotionId": used.promotion_id, "couponId": used.coupon_id}) for used in receipt.promotions
            ],
            "extraData": _extra(receipt.extra, place),
        }
    )


def _item(line: Line, currency: str, price_basis: str) -> dict[str, Any]:
    place = f"line {line.sku}"
    # The price decides: a deposit handed back has one piece and a negative price.
    sign = -1 if (line.paid or line.quantity) < 0 else 1
    pieces, price, tax = abs(line.quantity), abs(line.paid), abs(line.tax_amount)
    if pieces >= _MOST_PIECES:
        raise InvalidValue(f"the quantity {pieces} is too large; Engage accepts less than 1e9", place=place)
    whole = int(pieces) if pieces and pieces == pieces.to_integral_value() else None
    pack: Decimal | None = None
    if whole is not None and price_basis == "unit":
        unit_price, unit_tax = _share(price, whole, currency), _share(tax, whole, currency)
        if unit_price is None or unit_tax is None:
            whole = None  # three for 10.00: no price per piece adds up to it
        else:
            price, tax = unit_price, unit_tax
    if whole is None:
        # Quantities are whole in Engage: weighed goods, and what cannot be divided, go as one pack.
        whole, pack = 1, pieces
    number = line.article_number or line.sku
    return _filled(
        {
            "type": line.kind.value.upper(),
            "sku": line.sku,
            "quantity": sign * whole,
            "packQuantity": None if pack is None else _short(pack),
            "grossPaidPrice": price,
            "taxAmount": _short(tax),
            "taxPercent": _short(abs(line.tax_percent)),
            "articleNumber": number,
            "articleName": line.article_name or number,
            "articleGroup": line.article_group,
            "discounts": [
                _filled({"type": given.type, "description": given.description, "value": _short(-abs(given.value))})
                for given in line.discounts
            ],
            "extraData": _extra(line.extra, place),
        }
    )


def _short(value: Decimal) -> Decimal:
    """At most six decimals. For values no rule sums: a weight or percentage from a division has 28 of them."""
    if len(text := str(value)) < _MOST_DECIMALS + 3 and "E" not in text:
        return value
    exponent = value.as_tuple().exponent
    return round(value, _MOST_DECIMALS) if isinstance(exponent, int) and exponent < -_MOST_DECIMALS else value


def _share(amount: Decimal, pieces: int, currency: str) -> Decimal | None:
    """The amount of one piece in the currency's smallest unit; None when the pieces do not give the amount exactly."""
    share = round(amount / pieces, minor_digits(currency))
    return share if share * pieces == amount else None


def _payment(tender: Tender, place: str) -> dict[str, Any]:
    return _filled(
        {
            "type": tender.type or "other",
            "description": tender.description,
            "value": tender.amount,
            "extraData": _extra(tender.extra, place),
        }
    )


def _tax(tax: Tax) -> dict[str, Any]:
    return _filled(
        {
            "description": tax.description,
            "value": _short(tax.amount),
            "percent": _short(tax.percent),
            "totalIncludingTax": _short(tax.including_tax),
            "totalExcludingTax": _short(tax.excluding_tax),
        }
    )


def _extra(extra: collections.abc.Mapping[str, str], place: str) -> list[dict[str, str]]:
    if len(extra) > MOST_EXTRA:
        raise InvalidValue(f"has {len(extra)} extra texts; Engage accepts {MOST_EXTRA}", place=place)
    return [{"name": name, "value": value} for name, value in extra.items() if value]


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields without None and without empty texts and lists. Zero stays."""
    return {name: value for name, value in fields.items() if value or (value is not None and value not in ("", []))}

"""Payments as tenders, by the payment types of Engage; cash as handed over, with the change as negative cash."""

from __future__ import annotations

from collections.abc import Mapping

from tillpost.kit import ZERO, JsonObject
from tillpost.model import Tender
from tillpost_zettle.lines import MinorUnits

# Payment type of the Purchase API → payment type of Engage.
TYPES = {
    "IZETTLE_CARD": "card",
    "IZETTLE_CARD_ONLINE": "card",
    "IZETTLE_CASH": "cash",
    "IZETTLE_INVOICE": "invoice",
    "SWISH": "swish",
    "VIPPS": "vipps",
    "MOBILE_PAY": "mobilepay",
    "PAYPAL": "paypal",
    "KLARNA": "invoice",
    "GIFTCARD": "giftcard",
    "STORE_CREDIT": "giftcard",
}


def read_tenders(purchase: JsonObject, money: MinorUnits, more: Mapping[str, str]) -> tuple[Tender, ...]:
    """The payments. Cash handed over and its change are two tenders only where they sum to the payment."""
    found = []
    for payment in purchase.objects("payments"):
        amount, written = money.read(payment, "amount"), payment.text("type", "")
        kind = more.get(written) or TYPES.get(written, "other")
        attributes = payment.object_or_empty("attributes")
        handed, change = (money.read(attributes, name, ZERO) for name in ("handedAmount", "changeAmount"))
        if change and handed - change == amount:
            found.append(Tender(type=kind, amount=handed, description=written))
            found.append(Tender(type=kind, amount=-change, description="Change"))
        elif amount:
            found.append(Tender(type=kind, amount=amount, description=attributes.text("cardType", "") or written))
    return tuple(found)

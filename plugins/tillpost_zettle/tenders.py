"""How it was paid, in the words of Engage; cash as it was handed over, with the change as negative cash."""

from __future__ import annotations

from collections.abc import Mapping

from tillpost.kit import JsonObject
from tillpost.model import Tender
from tillpost_zettle.lines import ZERO, Minor

# Payment type of the Purchase API → payment type of the Engage contract.
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


def read_tenders(purchase: JsonObject, money: Minor, more: Mapping[str, str]) -> tuple[Tender, ...]:
    """The payments. Cash handed over counts with its change only where the two make up the payment."""
    found = []
    for payment in purchase.objects("payments"):
        amount, written = money.read(payment, "amount"), payment.text("type", "")
        kind = more.get(written) or TYPES.get(written, "other")
        told = payment.object("attributes")
        handed = money.read(told, "handedAmount", ZERO) if told is not None else ZERO
        change = money.read(told, "changeAmount", ZERO) if told is not None else ZERO
        if change and handed - change == amount:
            found.append(Tender(type=kind, amount=handed, description=written))
            found.append(Tender(type=kind, amount=-change, description="Change"))
        elif amount:
            brand = told.text("cardType", "") if told is not None else ""
            found.append(Tender(type=kind, amount=amount, description=brand or written))
    return tuple(found)

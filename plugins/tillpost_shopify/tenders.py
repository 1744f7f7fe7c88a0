"""Transactions as tenders, by the payment types of Engage."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import JsonObject
from tillpost.model import Tender

# Gateway → payment type of Engage.
TYPES = {
    "cash": "cash",
    "cash on delivery (cod)": "cash",
    "shopify_payments": "card",
    "shopify_installments": "invoice",
    "stripe": "card",
    "adyen": "card",
    "authorize_net": "card",
    "gift_card": "giftcard",
    "shopify_store_credit": "giftcard",
    "store_credit": "giftcard",
    "paypal": "paypal",
    "klarna": "invoice",
    "swish": "swish",
    "vipps": "vipps",
    "mobilepay": "mobilepay",
}


def tender_type(gateway: str, more: Mapping[str, str]) -> str:
    """The payment type of a gateway; "other" for one that is neither in `more` nor in TYPES."""
    return more.get(gateway) or TYPES.get(gateway.lower()) or "other"


def successful(body: JsonObject, *kinds: str) -> list[JsonObject]:
    """The transactions of these kinds whose status is success."""
    return [
        transaction
        for transaction in body.objects("transactions")
        if transaction.text("kind", "") in kinds and transaction.text("status", "success") == "success"
    ]


def tender(transaction: JsonObject, sign: int, currency: str, more: Mapping[str, str]) -> Tender:
    """One transaction as a tender. Raises InvalidValue when its currency is not the receipt's."""
    code = transaction.text("currency", currency)
    if code != currency:
        raise InvalidValue(
            f"is in {code[:3]!a}, the receipt in {currency}; set `money` to read the other amounts",
            place=transaction.place,
        )
    gateway = transaction.text("gateway", "")
    brand = transaction.object_or_empty("payment_details").text("credit_card_company", "")
    return Tender(
        type=tender_type(gateway, more), amount=sign * transaction.decimal("amount"), description=brand or gateway
    )


def order_tenders(order: JsonObject, total: Decimal, currency: str, more: Mapping[str, str]) -> tuple[Tender, ...]:
    """The order's payments, with change as negative cash; one tender of the total where it has no transactions."""
    paid = [tender(item, 1, currency, more) for item in successful(order, "sale", "capture")]
    if paid:
        change = [tender(item, -1, currency, more) for item in successful(order, "change")]
        return tuple(payment for payment in (*paid, *change) if payment.amount)
    if not total:
        return ()
    gateways = order.values.get("payment_gateway_names")
    names = [name for name in gateways if isinstance(name, str)] if isinstance(gateways, list) else []
    names = names or [order.text("gateway", "")]
    types = {tender_type(name, more) for name in names}
    return (Tender(type=types.pop() if len(types) == 1 else "other", amount=total, description=", ".join(names)),)

"""How it was paid: transactions as tenders, in the words of Engage."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import JsonObject
from tillpost.model import Tender

# Gateway → payment type of the Engage contract.
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
    """The payment type of a gateway; "other" for one nobody named."""
    return more.get(gateway) or TYPES.get(gateway.lower()) or "other"


def settled(body: JsonObject, *kinds: str) -> list[JsonObject]:
    """The transactions of these kinds that went through."""
    return [
        transaction
        for transaction in body.objects("transactions")
        if transaction.text("kind", "") in kinds and transaction.text("status", "success") == "success"
    ]


def tender(transaction: JsonObject, sign: int, currency: str, more: Mapping[str, str]) -> Tender:
    """One transaction. Raises InvalidValue when it is in another currency than the receipt."""
    code = transaction.text("currency", currency)
    if code != currency:
        raise InvalidValue(
            f"is in {code[:3]!a}, the receipt in {currency}; set `money` to read the other amounts",
            place=transaction.place,
        )
    gateway = transaction.text("gateway", "")
    details = transaction.object("payment_details")
    brand = details.text("credit_card_company", "") if details is not None else ""
    return Tender(
        type=tender_type(gateway, more),
        amount=sign * transaction.decimal("amount"),
        description=brand or gateway,
    )


def order_tenders(order: JsonObject, total: Decimal, currency: str, more: Mapping[str, str]) -> tuple[Tender, ...]:
    """The order's payments, change as negative cash; one tender with the total where the body has no transactions."""
    paid = [tender(each, 1, currency, more) for each in settled(order, "sale", "capture")]
    if paid:
        change = [tender(each, -1, currency, more) for each in settled(order, "change")]
        return tuple(each for each in (*paid, *change) if each.amount)
    if not total:
        return ()
    given = order.values.get("payment_gateway_names")
    names = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    names = names or [order.text("gateway", "")]
    types = {tender_type(name, more) for name in names}
    return (Tender(type=types.pop() if len(types) == 1 else "other", amount=total, description=", ".join(names)),)

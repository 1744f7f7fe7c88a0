"""Transactions as tenders, by the payment types of Engage."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import ROUNDING, ZERO, JsonObject, is_rounding
from tillpost.model import Tender
from tillpost_shopify.money import Money

NOT_TOLD = "tender-not-told"
"""The flag of a receipt whose order has neither transactions nor one gateway: what was paid is known, and not how."""
ROUNDING_IN_TENDER = "rounding-in-tender"
"""The flag of a receipt whose transactions have the rounding of cash in their amounts already."""

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
# Multiples to which countries round cash.
_STEPS = tuple(map(Decimal, ("0.05", "0.1", "0.2", "0.25", "0.5", "1", "5", "10", "50", "100")))


def tender_type(gateway: str, more: Mapping[str, str]) -> str:
    """The payment type of a gateway; "other" for one that is neither in `more` nor in TYPES."""
    return more.get(gateway) or TYPES.get(gateway.lower()) or (ROUNDING if is_rounding(gateway) else "other")


def successful(transactions: list[JsonObject], *kinds: str) -> list[JsonObject]:
    """The transactions of these kinds whose status is success."""
    return [
        transaction
        for transaction in transactions
        if transaction.text("kind", "") in kinds and transaction.text("status", "success") == "success"
    ]


def tender(transaction: JsonObject, sign: int, money: Money, more: Mapping[str, str], *, rounded: bool) -> Tender:
    """One transaction as a tender. Raises InvalidValue when its currency is not the receipt's.

    rounded: with the rounding of cash, which Shopify has beside the amount.
    """
    gateway = transaction.text("gateway", "")
    brand = transaction.object_or_empty("payment_details").text("credit_card_company", "")
    value = sign * amount(transaction, money)
    return Tender(
        type=tender_type(gateway, more),
        amount=value + rounding(transaction, sign, money) if rounded else value,
        description=brand or gateway,
    )


def amount(transaction: JsonObject, money: Money) -> Decimal:
    """The amount of a transaction, which has no sign."""
    return _read(transaction, "amount", money)


def rounding(transaction: JsonObject, sign: int, money: Money) -> Decimal:
    """The rounding of cash, as it adds to the signed amount.

    A rounding leads to a multiple of at least twice its size. Where only the opposite sign does that, it is meant.
    """
    if not (transaction.has("amount_rounding") or transaction.has("amount_rounding_set")):
        return ZERO
    value = _read(transaction, "amount_rounding", money, ZERO)
    if not value:
        return ZERO
    paid = sign * amount(transaction, money)
    if not _is_rounded(paid + value, value) and _is_rounded(paid - value, value):
        return -value
    return value


def order_payments(transactions: list[JsonObject]) -> list[tuple[JsonObject, int]]:
    """The payments among an order's transactions with their sign; change, which is negative, after the others."""
    signs = {"sale": 1, "capture": 1, "change": -1}
    found = [
        (item, sign)
        for item in transactions
        if (sign := signs.get(item.text("kind", ""))) and item.text("status", "success") == "success"
    ]
    return found if len(found) < 2 else sorted(found, key=lambda each: -each[1])


def order_tenders(
    payments: list[tuple[JsonObject, int]], money: Money, more: Mapping[str, str], *, rounded: bool
) -> tuple[Tender, ...]:
    """The payments as tenders, with change as negative cash."""
    found = [tender(item, sign, money, more, rounded=rounded) for item, sign in payments]
    return tuple(payment for payment in found if payment.amount)


def tender_by_gateway(
    order: JsonObject, paid: Decimal, more: Mapping[str, str]
) -> tuple[tuple[Tender, ...], tuple[str, ...]]:
    """One tender of what was paid, for an order that comes without its transactions; and the flags of it."""
    if not paid:
        return (), ()
    gateways = order.values.get("payment_gateway_names")
    names = [name for name in gateways if isinstance(name, str)] if isinstance(gateways, list) else []
    names = names or [name for name in (order.text("gateway", ""),) if name]
    types = {tender_type(name, more) for name in names}
    kind = types.pop() if len(types) == 1 else "other"
    flags = () if len(set(names)) == 1 else (NOT_TOLD,)
    return (Tender(type=kind, amount=paid, description=", ".join(names)),), flags


def _is_rounded(value: Decimal, by: Decimal) -> bool:
    return any(step >= 2 * abs(by) and not value % step for step in _STEPS)


def _read(transaction: JsonObject, name: str, money: Money, default: Decimal | None = None) -> Decimal:
    """An amount of the transaction: of its `_set`, else in its own currency, which must be the receipt's."""
    if transaction.has(f"{name}_set"):
        return money.read(transaction, name, default)
    code = transaction.text("currency", money.currency)
    if code != money.currency:
        raise InvalidValue(
            f"is in {code[:3]!a}, the receipt in {money.currency}; set `money` to read the other amounts",
            place=transaction.place,
        )
    return transaction.decimal(name, default)

"""Tenders and refunds of an order, with the payments that tell more of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial

import attrs

from tillpost.kit import ZERO, JsonObject, Reading, first_reading, mismatch
from tillpost.model import Tender
from tillpost_square.money import money

# Type of a tender, or of an external payment → payment type of Engage.
TYPES = {
    "CARD": "card",
    "THIRD_PARTY_CARD": "card",
    "CASH": "cash",
    "SQUARE_GIFT_CARD": "giftcard",
    "OTHER_GIFT_CARD": "giftcard",
    "STORED_BALANCE": "giftcard",
    "WALLET": "wallet",
    "EMONEY": "wallet",
    "SQUARE_CASH": "wallet",
    "BANK_ACCOUNT": "bank",
    "BANK_TRANSFER": "bank",
    "CHECK": "check",
    "FOOD_VOUCHER": "coupon",
    "BUY_NOW_PAY_LATER": "invoice",
    "SQUARE_ACCOUNT": "invoice",
}
_NOT_TAKEN = ("VOIDED", "FAILED")


@attrs.frozen
class Payment:
    """A tender, the change handed back of it, and whether its card took no money."""

    tender: Tender
    change: Decimal
    is_void: bool


def read_tenders(
    order: JsonObject, answer: JsonObject, due: Decimal, currency: str, more: Mapping[str, str]
) -> tuple[tuple[Tender, ...], tuple[str, ...]]:
    """The tenders that sum to what is due, refunds negative, and the flags of the reading.

    amount_money is what was kept, and change_back_money was handed over on top of it; some integrations write what
    was handed over. Raises InvalidValue with the difference of each reading.
    """
    payments = [_payment(tender, answer, more) for tender in order.objects("tenders")]
    refunds = list(_refunds(order, answer, more))
    taken = [payment for payment in payments if not payment.is_void]
    readings = [Reading("as it is written", partial(_exact, [*_kept(taken), *refunds], due, currency))]
    if any(payment.change for payment in taken):
        handed = partial(_exact, [*_handed(taken), *refunds], due, currency)
        readings.append(Reading("change inside the tender", handed, "change-in-tender"))
    if len(taken) < len(payments):
        every = partial(_exact, [*_kept(payments), *refunds], due, currency)
        readings.append(Reading("cards that failed or were voided", every, "void-ignored"))
    return first_reading(readings)


def _exact(tenders: list[Tender], due: Decimal, currency: str) -> tuple[Tender, ...]:
    summed = sum((tender.amount for tender in tenders), ZERO)
    if summed != due:
        raise mismatch("tenders sum to", summed, "the order's total is", due, currency, place="tenders")
    return tuple(tender for tender in tenders if tender.amount)


def _kept(payments: list[Payment]) -> Iterator[Tender]:
    for payment in payments:
        yield attrs.evolve(payment.tender, amount=payment.tender.amount + payment.change)
        yield Tender(type=payment.tender.type, amount=-payment.change, description="Change")


def _handed(payments: list[Payment]) -> Iterator[Tender]:
    for payment in payments:
        yield payment.tender
        yield Tender(type=payment.tender.type, amount=-payment.change, description="Change")


def _payment(tender: JsonObject, answer: JsonObject, more: Mapping[str, str]) -> Payment:
    written, card = tender.text("type", ""), tender.object_or_empty("card_details")
    kind, description = written, card.object_or_empty("card").text("card_brand", "")
    own = tender.text("payment_id", "") or tender.text("id", "")
    for payment in answer.objects("payments"):
        if own and payment.text("id", "") == own:
            external = payment.object_or_empty("external_details")
            kind = external.text("type", "") if written == "OTHER" and external.has("type") else written
            description = description or external.text("source", "")
    change = money(tender.object_or_empty("cash_details"), "change_back_money")
    return Payment(
        Tender(type=_type(kind, more), amount=money(tender, "amount_money"), description=description),
        change,
        card.text("status", "") in _NOT_TAKEN,
    )


def _type(kind: str, more: Mapping[str, str]) -> str:
    return more.get(kind) or TYPES.get(kind, "other")


def _refunds(order: JsonObject, answer: JsonObject, more: Mapping[str, str]) -> Iterator[Tender]:
    """What was given back. The refund beside the order, if there is one, says by which means."""
    types = {refund.text("id", ""): refund.text("destination_type", "") for refund in answer.objects("refunds")}
    for refund in order.objects("refunds"):
        if refund.text("status", "") not in ("REJECTED", "FAILED"):
            kind = _type(types.get(refund.text("id", ""), ""), more)
            yield Tender(type=kind, amount=-money(refund, "amount_money"))

"""Payments as tenders, and the total they sum to, rounded to coins."""

from __future__ import annotations

from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost.kit import ROUNDING, ZERO, balanced_tenders, is_rounding, mismatch, negated, round_money
from tillpost.kit.xml import amount, children, decimal, text
from tillpost.model import Tender
from tillpost_saft_cash.codes import PAYMENTS
from tillpost_saft_cash.master_data import MasterData
from tillpost_saft_cash.settings import Settings


def balance(
    transaction: _Element,
    master_data: MasterData,
    stated: Decimal,
    rounding: Decimal,
    settings: Settings,
    *,
    credit: bool,
) -> tuple[Decimal, tuple[Tender, ...]]:
    """The total that was paid, and the tenders that sum to it.

    stated: transAmntIn, the total before the rounding to coins, which is an element of its own. Payments in another
    currency may be written in either; a transaction that only returns may write them without a sign. What a credit
    sale leaves unpaid is a tender of its own. Raises InvalidValue with the difference of the first reading.
    """
    payments = [_payment(element, master_data, settings) for element in children(transaction, "payment")]
    written = [payment for payment, _ in payments]
    converted = [attrs.evolve(payment, amount=value) for payment, value in payments]
    readings = [written, converted, *([negated(written)] if stated < 0 else [])]
    totals = (stated + rounding, stated - rounding, stated)
    for reading in readings:
        for total in totals:
            tenders = balanced_tenders([reading], total)
            if tenders is not None:
                return total, tenders
    left = totals[0] - sum((tender.amount for tender in written), ZERO)
    if credit:
        return totals[0], (
            *(tender for tender in written if tender.amount),
            Tender(type="credit", amount=left, description="paid later"),
        )
    raise mismatch(
        "payments sum to", totals[0] - left, "the total is", totals[0], master_data.currency, place="cashtransaction"
    )


def _payment(element: _Element, master_data: MasterData, settings: Settings) -> tuple[Tender, Decimal]:
    """A payment as written, and its amount in the currency of the file."""
    own = text(element, "paymentType")
    kind = settings.tenders.get(own) or PAYMENTS.get(master_data.predefined("12", own), "other")
    value = amount(element, "paidAmnt")
    currency, rate = text(element, "curCode"), decimal(element, "exchRt")
    extra, converted = {}, value
    if currency and currency != master_data.currency and rate:
        extra = {"currency": currency, "exchangeRate": str(rate)}
        converted = round_money(value * rate, master_data.currency)
    name = master_data.find("basic", "12", own).get("basicDesc", "") or own
    kind = ROUNDING if kind == "other" and is_rounding(name) else kind
    return Tender(type=kind, amount=value, description=name, extra=extra), converted

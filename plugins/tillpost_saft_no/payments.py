"""How it was paid, and the total that came to, coins rounded."""

from __future__ import annotations

from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost.kit import mismatch, round_money
from tillpost.kit.xml import amount, children, decimal, text
from tillpost.model import Tender
from tillpost_saft_no.codes import PAYMENTS
from tillpost_saft_no.masters import Masters
from tillpost_saft_no.settings import Settings

ZERO = Decimal(0)


@attrs.frozen
class Payment:
    """A payment as written, and what it is in the currency of the file when it was made in another."""

    tender: Tender
    converted: Decimal


def settle(
    transaction: _Element,
    masters: Masters,
    stated: Decimal,
    rounding: Decimal,
    settings: Settings,
    *,
    credit: bool,
) -> tuple[Decimal, tuple[Tender, ...]]:
    """The total that was paid, and the tenders that sum to it.

    `stated` (transAmntIn) is the total before the rounding to coins, which stands apart. Payments in another
    currency may be written in either; a transaction that only returns may write them without a sign. What a
    credit sale leaves unpaid is a tender of its own. Raises InvalidValue, by how much the usual reading is off.
    """
    payments = [_payment(element, masters, settings) for element in children(transaction, "payment")]
    written = [payment.tender for payment in payments]
    converted = [attrs.evolve(payment.tender, amount=payment.converted) for payment in payments]
    turned = [attrs.evolve(tender, amount=-tender.amount) for tender in written]
    readings = [written, converted, *([turned] if stated < 0 else [])]
    totals = (stated + rounding, stated - rounding, stated)
    for tenders in readings:
        paid = sum((tender.amount for tender in tenders), ZERO)
        for total in totals:
            if paid == total:
                return total, tuple(tender for tender in tenders if tender.amount)
    left = totals[0] - sum((tender.amount for tender in written), ZERO)
    if credit:
        return totals[0], (
            *(tender for tender in written if tender.amount),
            Tender(type="credit", amount=left, description="paid later"),
        )
    raise mismatch(
        "payments sum to", totals[0] - left, "the total is", totals[0], masters.currency, place="cashtransaction"
    )


def _payment(element: _Element, masters: Masters, settings: Settings) -> Payment:
    own = text(element, "paymentType")
    kind = settings.tenders.get(own) or PAYMENTS.get(masters.predefined("12", own), "other")
    value = amount(element, "paidAmnt")
    currency, rate = text(element, "curCode"), decimal(element, "exchRt")
    extra, converted = {}, value
    if currency and currency != masters.currency and rate:
        extra = {"currency": currency, "exchangeRate": str(rate)}
        converted = round_money(value * rate, masters.currency)
    name = masters.find("basic", "12", own).get("basicDesc", "") or own
    return Payment(Tender(type=kind, amount=value, description=name, extra=extra), converted)

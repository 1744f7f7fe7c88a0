"""Tenders by the payment types of Engage, with change and cash-back as negative cash."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost.kit import ROUNDING, ZERO, balanced_tenders, mismatch, negated
from tillpost.kit.xml import amount, attribute, child, children, decimal, text
from tillpost.model import Tender
from tillpost_digital_receipt.line_items import is_voided
from tillpost_digital_receipt.rounding import is_rounding

# TenderType of the standard → payment type of Engage; what is not here is "other".
TYPES = {
    "": "cash",  # the schema's default
    "AccountsReceivable": "account",
    "Cash": "cash",
    "Check": "check",
    "CheckCard": "card",
    "Coupon": "coupon",
    "CreditDebit": "card",
    "CustomerAccount": "account",
    "GiftCard": "giftcard",
    "GiftCertificate": "giftcard",
    "HouseAccount": "account",
    "InternationalMaestro": "card",
    "Loyalty": "loyalty",
    "ManufacturerCoupon": "coupon",
    "Mobile": "mobile",
    "StoredValue": "giftcard",
    "TravelersCheck": "check",
    "UKMaestro": "card",
    "Voucher": "coupon",
}


@attrs.frozen
class Payment:
    """A Tender as handed over, the amount of it applied to the bill, its rounding (without a sign) and its change."""

    tender: Tender
    applied: Decimal
    rounding: Decimal
    change: tuple[Tender, ...]


def read_tenders(
    retail: _Element, total: Decimal, currency: str, more_types: Mapping[str, str], *, with_roundings: bool = True
) -> tuple[Tender, ...]:
    """The tenders that sum to the total, with those that are roundings or without.

    The readings are tried in this order: the amounts handed over less the change; handed over; applied to the bill;
    handed over less the change, with their rounding subtracted, then added. A transaction that only returns may write
    its tenders without a sign. Raises InvalidValue, with the difference of the first reading, when none adds up.
    """
    types = {**TYPES, **more_types}
    entries = [entry for entry in children(retail, "LineItem") if not is_voided(entry)]
    found = [tender for entry in entries for tender in children(entry, "Tender")]
    payments = [_payment(tender, types) for tender in found if with_roundings or not is_rounding(tender)]
    change = [_change(element, types) for entry in entries for element in children(entry, "TenderChange")]
    change += [tender for payment in payments for tender in payment.change]
    handed = [payment.tender for payment in payments]
    applied = [attrs.evolve(payment.tender, amount=payment.applied) for payment in payments]
    rounded_down, rounded_up = (
        [_rounded(payment.tender, sign * payment.rounding) for payment in payments] for sign in (-1, 1)
    )
    readings = [[*handed, *change], handed, applied, [*rounded_down, *change], [*rounded_up, *change]]
    if total < 0:
        readings += [negated(reading) for reading in readings]
    balanced = balanced_tenders(readings, total)
    if balanced is not None:
        return balanced
    tendered = sum((tender.amount for tender in readings[0]), ZERO)
    raise mismatch("tenders sum to", tendered, "the receipt's total is", total, currency, place="RetailTransaction")


def _rounded(tender: Tender, by: Decimal) -> Tender:
    return attrs.evolve(tender, amount=tender.amount + (by if tender.amount > 0 else -by))


def _type(element: _Element, types: Mapping[str, str]) -> str:
    if is_rounding(element):
        return ROUNDING
    written = attribute(element, "TenderType")
    return types.get(written) or types.get(written.rpartition(":")[2]) or "other"


def _payment(element: _Element, types: Mapping[str, str]) -> Payment:
    value = amount(element, "Amount")
    applied = decimal(element, "AmountAppliedToBill")
    applied = value if applied is None else applied
    if attribute(element, "TypeCode") == "Refund":
        value, applied = -abs(value), -abs(applied)
    change = [_change(change, types) for change in children(element, "TenderChange")]
    back = decimal(element, "Cashback")
    if back:
        change.append(Tender(type="cash", amount=-abs(back), description="Cash-back"))
    tender = Tender(
        type=_type(element, types),
        amount=value,
        description=attribute(element, "SubTenderType") or attribute(element, "TenderType"),
        extra=_foreign(element),
    )
    return Payment(tender, applied, abs(decimal(element, "Rounding") or ZERO), tuple(change))


def _change(element: _Element, types: Mapping[str, str]) -> Tender:
    return Tender(type=_type(element, types), amount=-abs(amount(element, "Amount")), description="Change")


def _foreign(tender: _Element) -> dict[str, str]:
    """Currency, amount and rate of a tender in another currency."""
    foreign = child(tender, "ForeignCurrency")
    if foreign is None:
        return {}
    found = {
        "currency": text(foreign, "CurrencyCode"),
        "foreignAmount": text(foreign, "OriginalFaceAmount"),
        "exchangeRate": text(foreign, "ExchangeRate"),
    }
    return {name: value for name, value in found.items() if value}

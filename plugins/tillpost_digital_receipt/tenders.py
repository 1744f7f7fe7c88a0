"""How it was paid: tenders in the words of Engage, with change and cash-back as negative cash."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost.kit import mismatch
from tillpost.kit.xml import amount, attribute, child, children, decimal, text
from tillpost.model import Tender
from tillpost_digital_receipt.items import counts

ZERO = Decimal(0)

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
class Paid:
    """A Tender: as handed over, what of it was applied to the bill, and its rounding (without a sign)."""

    tender: Tender
    applied: Decimal
    rounding: Decimal
    change: tuple[Tender, ...]


def read_tenders(retail: _Element, total: Decimal, currency: str, more_types: Mapping[str, str]) -> tuple[Tender, ...]:
    """The tenders that sum to the total.

    Tried in this order: what was handed over less the change; what was handed over; what was applied to the bill; what
    was handed over less the change, with its rounding off or on. A transaction that only returns may write its tenders
    without a sign. Raises InvalidValue, by how much the first is off, when none adds up.
    """
    types = {**TYPES, **more_types}
    entries = [entry for entry in children(retail, "LineItem") if counts(entry)]
    paid = [_paid(tender, types) for entry in entries for tender in children(entry, "Tender")]
    change = [_change(given, types) for entry in entries for given in children(entry, "TenderChange")]
    change += [given for each in paid for given in each.change]
    handed = [each.tender for each in paid]
    applied = [attrs.evolve(each.tender, amount=each.applied) for each in paid]
    off, on = ([_moved(each.tender, sign * each.rounding) for each in paid] for sign in (-1, 1))
    readings = ([*handed, *change], handed, applied, [*off, *change], [*on, *change])
    for reading in readings:
        if sum((tender.amount for tender in reading), ZERO) == total:
            return tuple(tender for tender in reading if tender.amount)
    for reading in readings:
        if total < 0 and sum((tender.amount for tender in reading), ZERO) == -total:
            return tuple(attrs.evolve(tender, amount=-tender.amount) for tender in reading if tender.amount)
    tendered = sum((tender.amount for tender in readings[0]), ZERO)
    raise mismatch("tenders sum to", tendered, "the receipt's total is", total, currency, place="RetailTransaction")


def _moved(tender: Tender, by: Decimal) -> Tender:
    return attrs.evolve(tender, amount=tender.amount + (by if tender.amount > 0 else -by))


def _type(element: _Element, types: Mapping[str, str]) -> str:
    written = attribute(element, "TenderType")
    return types.get(written) or types.get(written.rpartition(":")[2]) or "other"


def _paid(element: _Element, types: Mapping[str, str]) -> Paid:
    sign = -1 if attribute(element, "TypeCode") == "Refund" else 1
    value = amount(element, "Amount")
    applied = decimal(element, "AmountAppliedToBill")
    value, applied = ((-abs(each) if sign < 0 else each) for each in (value, value if applied is None else applied))
    change = [_change(given, types) for given in children(element, "TenderChange")]
    back = decimal(element, "Cashback")
    if back:
        change.append(Tender(type="cash", amount=-abs(back), description="Cash-back"))
    tender = Tender(
        type=_type(element, types),
        amount=value,
        description=attribute(element, "SubTenderType") or attribute(element, "TenderType"),
        extra=_foreign(element),
    )
    return Paid(tender, applied, abs(decimal(element, "Rounding") or ZERO), tuple(change))


def _change(element: _Element, types: Mapping[str, str]) -> Tender:
    return Tender(type=_type(element, types), amount=-abs(amount(element, "Amount")), description="Change")


def _foreign(tender: _Element) -> dict[str, str]:
    """What was handed over in another currency."""
    held = child(tender, "ForeignCurrency")
    if held is None:
        return {}
    found = {
        "currency": text(held, "CurrencyCode"),
        "foreignAmount": text(held, "OriginalFaceAmount"),
        "exchangeRate": text(held, "ExchangeRate"),
    }
    return {name: value for name, value in found.items() if value}

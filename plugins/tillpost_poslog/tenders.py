"""Tenders by the payment types of Engage, with change and cash-back as negative cash."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lxml.etree import _Element

from tillpost.kit import ZERO, balanced_tenders, mismatch, negated
from tillpost.kit.xml import amount, attribute, child, children, decimal, is_true, text
from tillpost.model import Tender

# TenderType of POSLog 2.x and 6.x → payment type of Engage.
TYPES = {
    "Cash": "cash",
    "CreditDebit": "card",
    "Credit": "card",
    "Debit": "card",
    "CreditCard": "card",
    "DebitCard": "card",
    "GiftCard": "giftcard",
    "GiftCertificate": "giftcard",
    "StoredValue": "giftcard",
    "StoredValueInstrument": "giftcard",
    "Check": "check",
    "TravelersCheck": "check",
    "Coupon": "coupon",
    "ManufacturerCoupon": "coupon",
    "StoreCoupon": "coupon",
    "Voucher": "coupon",
}


def _type(element: _Element, types: Mapping[str, str], default: str) -> str:
    written = attribute(element, "TenderType")
    return types.get(written) or types.get(written.rpartition(":")[2]) or ("other" if written else default)


def _description(tender: _Element) -> str:
    card = child(tender, "CreditDebit")
    brand = (attribute(card, "CreditDescription") or attribute(card, "CardType")) if card is not None else ""
    return brand or attribute(tender, "TenderDescription") or attribute(tender, "TenderType")


def read_tenders(retail: _Element, total: Decimal, currency: str, more_types: Mapping[str, str]) -> tuple[Tender, ...]:
    """The tenders that sum to the total.

    Change and cash-back stand as tenders of their own (NCR) or only inside the tender they came from (ARTS):
    they are added, change first, until the total is reached. A transaction that only returns may write its tenders
    without a sign. Raises InvalidValue with the difference when no reading adds up.
    """
    types = {**TYPES, **more_types}
    paid: list[Tender] = []
    change: list[Tender] = []
    cashback: list[Tender] = []
    for entry in children(retail, "LineItem"):
        for tender in children(entry, "Tender"):
            value = amount(tender, "Amount")
            if is_true(entry, "VoidFlag") and value > 0:
                continue
            if attribute(tender, "TypeCode") in ("Refund", "Return"):
                value = -abs(value)
            paid.append(Tender(type=_type(tender, types, "other"), amount=value, description=_description(tender)))
            if value > 0:
                change += _change(tender, types)
                back = decimal(tender, "Cashback")
                if back:
                    cashback.append(Tender(type="cash", amount=-abs(back), description="Cash-back"))
        if not is_true(entry, "VoidFlag"):  # POSLog 6 has change as a line item of its own
            change += _change(entry, types)
    readings = [paid, [*paid, *change], [*paid, *cashback], [*paid, *change, *cashback]]
    if total < 0:
        readings.append(negated(paid))
    found = balanced_tenders(readings, total)
    if found is not None:
        return found
    tendered = sum((tender.amount for tender in paid), ZERO)
    raise mismatch("tenders sum to", tendered, "the receipt's total is", total, currency, place="receipt")


def _change(parent: _Element, types: Mapping[str, str]) -> list[Tender]:
    """Change handed back, which may name no type of tender: it is cash."""
    return [
        Tender(type=_type(element, types, "cash"), amount=-abs(back), description="Change")
        for element in children(parent, "TenderChange")
        if (back := decimal(element, "Amount"))
    ]


def has_tenders(retail: _Element) -> bool:
    """Whether the transaction has a tender with an amount."""
    return any(text(tender, "Amount") for entry in children(retail, "LineItem") for tender in children(entry, "Tender"))

"""How it was paid: tenders in the words of Engage, with change and cash-back as negative cash."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lxml.etree import _Element

from tillpost.kit import mismatch
from tillpost.kit.xml import amount, attribute, child, children, decimal, is_true, text
from tillpost.model import Tender

# TenderType of POSLog 2.x and 6.x → payment type of the Engage contract.
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
    they are added, change first, as far as it takes to reach the total. A transaction that only returns may
    write its tenders without a sign. Raises InvalidValue, by how much, when no reading adds up.
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
            for given in children(tender, "TenderChange"):
                back = decimal(given, "Amount")
                if back and value > 0:
                    change.append(Tender(type=_type(given, types, "cash"), amount=-abs(back), description="Change"))
            back = decimal(tender, "Cashback")
            if back and value > 0:
                cashback.append(Tender(type="cash", amount=-abs(back), description="Cash-back"))
        for given in children(entry, "TenderChange"):  # POSLog 6: a line item of its own
            back = decimal(given, "Amount")
            if back and not is_true(entry, "VoidFlag"):
                change.append(Tender(type=_type(given, types, "cash"), amount=-abs(back), description="Change"))
    readings = (paid, [*paid, *change], [*paid, *cashback], [*paid, *change, *cashback])
    for reading in readings:
        if sum((tender.amount for tender in reading), Decimal(0)) == total:
            return tuple(tender for tender in reading if tender.amount)
    if total < 0 and sum((tender.amount for tender in paid), Decimal(0)) == -total:
        return tuple(Tender(type=t.type, amount=-t.amount, description=t.description) for t in paid)
    tendered = sum((t.amount for t in paid), Decimal(0))
    raise mismatch("tenders sum to", tendered, "the receipt's total is", total, currency, place="receipt")


def has_tenders(retail: _Element) -> bool:
    """Whether anything was paid or handed back at all."""
    return any(text(tender, "Amount") for entry in children(retail, "LineItem") for tender in children(entry, "Tender"))

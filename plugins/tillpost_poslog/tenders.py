"""Tenders by the payment types of Engage, with change and cash-back as negative cash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice

import attrs
from lxml.etree import _Element

from tillpost.kit import ROUNDING, ROUNDING_AS_TENDER, ZERO, balanced_tenders, mismatch, negated
from tillpost.kit.xml import amount, attribute, child, children, decimal, is_true, text
from tillpost.model import Tender
from tillpost_poslog.names import Names, find_text
from tillpost_poslog.tender_types import CHANGE, tender_type

UNKNOWN_TENDER = "tender-unknown"
"""The flag of a receipt with a tender of type `other` because nothing says what it is."""
SIGN_BY_AMOUNT = "sign-by-amount"
"""The flag of a receipt with a tender whose sign is the other one than it says."""

_MOST_TRIED = 8
"""Tenders and roundings of one transaction that may be meant in another way: more are no receipt of a shop."""
_HANDED_BACK = ("Refund", "Return", "Change")
"""The TypeCode of a tender that is paid to the customer, with or without a minus sign."""


@attrs.frozen
class Tenders:
    """The tenders of a transaction as written: what is paid, and what may be meant by them beside it.

    change, cashback: negative cash. rounding: what roundings in tenders may add. is_rounded: whether a tender is a
    rounding by its name, so that it counts. flags: of the receipt.
    """

    retail: _Element
    paid: list[Tender]
    change: list[Tender]
    cashback: list[Tender]
    rounding: Decimal
    is_rounded: bool
    flags: tuple[str, ...]

    def readings(self) -> list[list[Tender]]:
        """What the tenders may be: change and cash-back beside what is paid, change first."""
        paid, change, cashback = self.paid, self.change, self.cashback
        return [paid, [*paid, *change], [*paid, *cashback], [*paid, *change, *cashback]]

    def roundings(self) -> Iterator[Decimal]:
        """Amounts with which the tenders may sum to the total, the likelier first."""
        totals = (total for total in children(self.retail, "Total") if "round" in attribute(total, "TotalType").lower())
        written = (decimal(total) if text(total) else decimal(total, "Amount") for total in totals)
        values = (self.rounding, *islice(written, _MOST_TRIED), decimal(self.retail, "RoundedTotal"))
        for value in filter(None, dict.fromkeys(values)):
            yield from (value, -value)


def _description(tender: _Element) -> str:
    card = child(tender, "CreditDebit")
    brand = (attribute(card, "CreditDescription") or attribute(card, "CardType")) if card is not None else ""
    return brand or attribute(tender, "TenderDescription") or attribute(tender, "TenderType")


def collect_tenders(retail: _Element, own: Mapping[str, str], names: Names) -> Tenders:
    """The tenders of the transaction, without voided ones.

    A voided tender with a positive amount is omitted with the one it points at; one with a negative amount
    takes the earlier one back by its sign.
    """
    paid: list[Tender] = []
    change: list[Tender] = []
    cashback: list[Tender] = []
    entries: list[_Element] = []
    rounding, is_rounded, unknown = ZERO, False, False
    for entry in children(retail, "LineItem"):
        voided = is_true(entry, "VoidFlag")
        for tender in children(entry, "Tender"):
            value = amount(tender, "Amount")
            if voided and value > 0:
                _take_back(tender, value, paid, entries, names)
                continue
            if value > 0 and (attribute(tender, "TypeCode") in _HANDED_BACK or is_true(tender, "ChangeFlag")):
                value = -value
            kind = tender_type(tender, own)
            if kind == ROUNDING:
                rounding, is_rounded = rounding + _rounding(tender, value), True
            elif kind == CHANGE:
                change.append(Tender(type="cash", amount=-abs(value), description="Change"))
            else:
                unknown = unknown or not kind
                paid.append(Tender(type=kind or "other", amount=value, description=_description(tender)))
                entries.append(entry)
                change += _change(tender, own)
                if back := decimal(tender, "Cashback"):
                    cashback.append(Tender(type="cash", amount=-abs(back), description="Cash-back"))
                rounding += _rounding(tender, ZERO)
        if not voided:  # POSLog 6 has change as a line item of its own
            change += _change(entry, own)
    return Tenders(retail, paid, change, cashback, rounding, is_rounded, (UNKNOWN_TENDER,) if unknown else ())


def _take_back(void: _Element, value: Decimal, paid: list[Tender], entries: list[_Element], names: Names) -> None:
    """Remove the tender that a voided one points at, where it has its amount and is not voided itself."""
    parent = void.getparent()
    assert parent is not None
    target = find_text(parent, names["voids"]) or find_text(void, names["voids"])
    for index, entry in enumerate(entries if target else ()):
        if text(entry, "SequenceNumber") == target and paid[index].amount == value:
            del paid[index], entries[index]
            return


def _rounding(tender: _Element, value: Decimal) -> Decimal:
    """What the rounding adds to the tenders: one up was paid beside the total, one down was not paid."""
    part = child(tender, "Rounding")
    if part is None:
        return value
    written = decimal(part) or decimal(part, "Amount") or value
    direction = attribute(part, "RoundingDirection").lower()
    return -abs(written) if direction == "up" else abs(written) if direction == "down" else written


def _change(parent: _Element, own: Mapping[str, str]) -> list[Tender]:
    """Change handed back, which may name no type of tender: it is cash."""
    return [
        Tender(
            type=(tender_type(element, own) or "other") if attribute(element, "TenderType") else "cash",
            amount=-abs(back),
            description="Change",
        )
        for element in children(parent, "TenderChange")
        if (back := decimal(element, "Amount"))
    ]


def read_tenders(found: Tenders, total: Decimal, currency: str) -> tuple[tuple[Tender, ...], tuple[str, ...]]:
    """The tenders that sum to the total, and the flags of the reading.

    Change and cash-back stand as tenders of their own (NCR) or only inside the tender they came from (ARTS): they are
    added, change first, until the total is reached. A transaction that only returns may write its tenders without a
    sign. The rounding of cash counts where it is a tender, else where the tenders need it; it is a tender of the type
    `rounding` here, which the kit makes a line of. Raises InvalidValue with the difference when no reading adds up.
    """
    readings = found.readings()
    if total < 0:
        readings.append(negated(found.paid))
    if not found.is_rounded:
        tenders = balanced_tenders(readings, total)
        if tenders is not None:
            return tenders, found.flags
    for value in found.roundings():
        rounding = Tender(type=ROUNDING, amount=value, description="Rounding")
        tenders = balanced_tenders(([*reading, rounding] for reading in readings), total)
        if tenders is not None:
            return tenders, (*found.flags, ROUNDING_AS_TENDER)
    if found.is_rounded:  # it may only repeat what is in the tenders
        tenders = balanced_tenders(readings, total)
        if tenders is not None:
            return tenders, (*found.flags, ROUNDING_AS_TENDER)
    tenders = balanced_tenders(_other_signs(found.paid), total)
    if tenders is not None:
        return tenders, (*found.flags, SIGN_BY_AMOUNT)
    tendered = sum((tender.amount for tender in found.paid), ZERO)
    raise mismatch("tenders sum to", tendered, "the receipt's total is", total, currency, place="receipt")


def _other_signs(paid: list[Tender]) -> Iterator[list[Tender]]:
    """Cash after other cash as change, and all with the other sign."""
    cash = [index for index, tender in enumerate(paid) if tender.type == "cash" and tender.amount > 0]
    for index in cash[1:_MOST_TRIED]:
        yield [*paid[:index], *negated([paid[index]]), *paid[index + 1 :]]
    yield negated(paid)


def sums(found: Tenders) -> list[Decimal]:
    """What the tenders may sum to."""
    return list(dict.fromkeys(sum((tender.amount for tender in reading), ZERO) for reading in found.readings()))

"""The receipt: what was bought and returned at a till, checked against its laws when it is made.

Signs, everywhere in Tillpost: an amount is what it adds to the receipt's total. A returned line has a negative
quantity and a negative `paid`; change handed out is a negative tender. What Engage wants instead (a positive
price with a negative quantity) is the mapping's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

import attrs

from tillpost.errors import LawBroken
from tillpost.model.customer import Customer
from tillpost.model.money import minor_digits

_CURRENCY = re.compile(r"[A-Z]{3}")


class LineKind(StrEnum):
    """What a line is to the receipt; the names are those of the Engage contract, in small letters."""

    PURCHASE = "purchase"
    RETURN = "return"
    ADJUSTMENT = "adjustment"


@attrs.frozen(kw_only=True)
class Discount:
    """What a line has been reduced by. `value` is negative; `paid` of the line already has it off."""

    type: str
    value: Decimal
    description: str = ""


def _frozen_pairs(pairs: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(pairs))


@attrs.frozen(kw_only=True)
class Line:
    """One line item.

    `quantity` and `paid` carry the sign of what they add: both positive for a purchase, both negative for a
    return; an adjustment (a deposit handed back, a rounding) may have any signs. `paid` is what was really paid
    for the whole line, tax included, after every discount. `tax_amount` is the tax inside `paid`.
    """

    kind: LineKind
    sku: str
    quantity: Decimal
    paid: Decimal
    tax_amount: Decimal = Decimal(0)
    tax_percent: Decimal = Decimal(0)
    article_number: str = ""
    article_name: str = ""
    article_group: str = ""
    discounts: tuple[Discount, ...] = ()
    extra: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_pairs, hash=False)

    def __attrs_post_init__(self) -> None:
        place = f"line {self.sku or self.article_number or '?'}"
        for name in ("quantity", "paid", "tax_amount", "tax_percent"):
            if not getattr(self, name).is_finite():
                raise LawBroken(f"{name} must be finite", place, "not finite")
        if not self.sku:
            raise LawBroken("a line needs a sku", place, "empty")
        if self.kind is LineKind.PURCHASE and (self.quantity < 0 or self.paid < 0):
            raise LawBroken("a purchase has no negative quantity or price", place, min(self.quantity, self.paid))
        if self.kind is LineKind.RETURN and (self.quantity >= 0 or self.paid > 0):
            raise LawBroken(
                "a return has a negative quantity and no positive price", place, max(self.quantity, self.paid)
            )
        if self.tax_amount * self.paid < 0:
            raise LawBroken("tax has the sign of the price", place, self.tax_amount)
        if abs(self.tax_amount) > abs(self.paid):
            raise LawBroken("tax is a part of the price", place, abs(self.tax_amount) - abs(self.paid))
        for discount in self.discounts:
            if not discount.value.is_finite():
                raise LawBroken("discount must be finite", place, "not finite")


@attrs.frozen(kw_only=True)
class Tender:
    """A means of payment. `type` in the words of Engage (card, cash, swish…); change is negative cash."""

    type: str
    amount: Decimal
    description: str = ""
    extra: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_pairs, hash=False)


@attrs.frozen(kw_only=True)
class Tax:
    """One tax of the receipt, summed: amount, and what it was laid on, both with the sign of the sale."""

    description: str
    percent: Decimal
    amount: Decimal
    including_tax: Decimal
    excluding_tax: Decimal

    def __attrs_post_init__(self) -> None:
        off = self.including_tax - self.excluding_tax - self.amount
        if off:
            raise LawBroken("excluding tax + tax = including tax", f"tax {self.description}", off)


@attrs.frozen(kw_only=True)
class Promotion:
    """A promotion or coupon the customer used, known to Engage by one of the two ids."""

    promotion_id: str = ""
    coupon_id: str = ""


@attrs.frozen(kw_only=True)
class RawRef:
    """Where the receipt came from: the document's name and SHA-256, and the place in it ("line 120")."""

    sha256: str
    document: str
    place: str = ""


@attrs.frozen(kw_only=True)
class Receipt:
    """A finalised sale (or return) as a till printed it.

    id: deterministic, from `identity.receipt_id`; becomes Engage's uniqueReceiptId, its idempotency key.
    number: the printed number, not unique.
    created: local time with its offset, never converted to UTC (Engage contract, "save a receipt").
    business_date: the trading day, which may differ from the date of `created` after midnight.
    total: what was paid, tax included; negative when more was returned than bought.
    flags: what a person may want to know and no law forbids ("dst-ambiguous", "clock-off").

    Laws, checked here: the lines sum to the total; the tenders sum to the total; money has no more digits than
    the currency; `created` is aware; the currency is three capital letters (ISO 4217).
    """

    id: str
    number: str
    created: datetime
    business_date: date
    store: str
    till: str
    currency: str
    total: Decimal
    lines: tuple[Line, ...]
    tenders: tuple[Tender, ...]
    raw: RawRef
    taxes: tuple[Tax, ...] = ()
    customer: Customer | None = None
    vouchers: tuple[str, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    flags: tuple[str, ...] = ()
    extra: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_pairs, hash=False)

    def __attrs_post_init__(self) -> None:
        place = f"receipt {self.number or '?'} of store {self.store or '?'}"
        for name in ("id", "store", "currency"):
            if not getattr(self, name):
                raise LawBroken(f"a receipt needs its {name}", place, "empty")
        if self.created.tzinfo is None or self.created.utcoffset() is None:
            raise LawBroken("the time carries its offset", place, "naive time")
        if not _CURRENCY.fullmatch(self.currency):
            raise LawBroken("the currency is an ISO 4217 code", place, "not three capital letters")
        self._check_digits(place)
        off = sum((line.paid for line in self.lines), Decimal(0)) - self.total
        if off:
            raise LawBroken("the lines sum to the total", place, off)
        off = sum((tender.amount for tender in self.tenders), Decimal(0)) - self.total
        if off:
            raise LawBroken("the tenders sum to the total", place, off)

    def _check_digits(self, place: str) -> None:
        digits = minor_digits(self.currency)
        amounts = (self.total, *(line.paid for line in self.lines), *(t.amount for t in self.tenders))
        for amount in amounts:
            if not amount.is_finite():
                raise LawBroken("money is finite", place, "not finite")
            if amount != round(amount, digits):
                raise LawBroken(f"{self.currency} has {digits} digits behind the point", place, amount)

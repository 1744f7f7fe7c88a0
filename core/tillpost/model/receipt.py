"""The receipt: what was bought and returned at a till. Its rules are checked when it is created.

Signs: an amount is what it adds to the receipt's total. A returned line has a negative quantity and a negative
`paid`; change is a negative tender. The mapping converts them for Engage (a positive price with a negative quantity).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.customer import Customer
from tillpost.model.money import OUT_OF_BOUNDS, checked, is_in_bounds, minor_digits, mismatch
from tillpost.model.typed import Typed, label, settle_types

_CURRENCY = re.compile(r"[A-Z]{3}")
_MINOR_UNITS = [Decimal(1).scaleb(-digits) for digits in range(5)]


class LineKind(StrEnum):
    """The kind of a line, with the names of the Engage contract in lower case; its text is taken, too.

    purchase: something bought; neither quantity nor paid is negative. return: something brought back; quantity is below
    zero and paid is not above it. adjustment: money for no article, such as a deposit, tip or rounding, of any sign.
    """

    PURCHASE = "purchase"
    RETURN = "return"
    ADJUSTMENT = "adjustment"


_PURCHASE, _RETURN = LineKind.PURCHASE, LineKind.RETURN
_ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class Discount(Typed):
    """A discount of a line, which the line's `paid` has taken off already.

    type: what kind of discount it is, below. value: the amount with the sign of what it takes off: negative on a
    purchase. description: the till's own words.
    """

    type: str
    value: Decimal
    description: str = ""

    def _place(self) -> str:
        return f"discount {label(self.type)}"


def _out_of_bounds(value: object, *names: str) -> str:
    name = next(name for name in names if not is_in_bounds(getattr(value, name)))
    return f"{name} is {OUT_OF_BOUNDS}"


_set = object.__setattr__
_NO_PAIRS: Mapping[str, str] = MappingProxyType({})


def _frozen(pairs: Mapping[str, str]) -> Mapping[str, str]:
    # Not an attrs converter: msgspec, which creates receipts in receipt_json.py, does not call those.
    return MappingProxyType(dict(pairs)) if pairs else _NO_PAIRS


@attrs.frozen(kw_only=True)
class Line(Typed):
    """One line item.

    kind: by the signs of the next two. sku: the article as the store's system of articles knows it; never empty.
    quantity: pieces, or a weight; both it and paid are positive for a purchase and negative for a return, and an
    adjustment may have any signs. paid: the amount paid for the whole line, with tax, after every discount.
    tax_amount: the tax in `paid`, with its sign. tax_percent: its rate, 25 for 25 %. article_number: where it differs
    from the sku. article_name: as the receipt shows it. article_group: the group or department of the article.
    discounts: what `paid` has taken off already. extra: names and texts of the till's own, at most ten for Engage;
    `originalReceipt` is the receipt a returned line was bought on.

    Raises InvalidValue unless the signs are those of the kind, and the tax has the sign of `paid` and is not larger.
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
    extra: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __attrs_post_init__(self) -> None:
        by_codec = checked.by_codec  # looked up once: a receipt has many lines
        if not by_codec:
            settle_types(self)
        if extra := self.extra:
            _set(self, "extra", MappingProxyType(dict(extra)))
        else:
            _set(self, "extra", _NO_PAIRS)
        quantity, paid, tax = self.quantity, self.paid, self.tax_amount
        if not (by_codec or is_in_bounds(quantity, paid, tax, self.tax_percent)):
            raise self._error(_out_of_bounds(self, "quantity", "paid", "tax_amount", "tax_percent"))
        if not self.sku:
            raise self._error("sku is empty")
        if self.kind is _PURCHASE and (quantity < _ZERO or paid < _ZERO):
            raise self._error(f"a purchase of quantity {quantity} and price {paid}: neither may be negative")
        if self.kind is _RETURN and (quantity >= _ZERO or paid > _ZERO):
            raise self._error(
                f"a return of quantity {quantity} and price {paid}: quantity must be below zero, price not above"
            )
        if tax and not (_ZERO < tax <= paid or paid <= tax < _ZERO):
            if (tax < _ZERO < paid) or (paid < _ZERO < tax):
                raise self._error(f"the tax {tax} and the price {paid} have different signs")
            raise self._error(f"the tax {tax} is larger than the price {paid}")
        for discount in self.discounts:
            if not is_in_bounds(discount.value):
                raise self._error(f"a discount is {OUT_OF_BOUNDS}")

    def _place(self) -> str:
        return f"line {label(self.sku or self.article_number)}"

    def _error(self, fault: str) -> InvalidValue:
        return InvalidValue(fault, place=self._place())


@attrs.frozen(kw_only=True)
class Tender(Typed):
    """A payment, or change, which is negative cash.

    type: a payment type, below. amount: what it adds to the total, in the receipt's currency. description: the till's
    own words. extra: names and texts, such as the number of a `voucher`.
    """

    type: str
    amount: Decimal
    description: str = ""
    extra: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __attrs_post_init__(self) -> None:
        settle_types(self)
        _set(self, "extra", _frozen(self.extra))

    def _place(self) -> str:
        return f"tender {label(self.type)}"


@attrs.frozen(kw_only=True)
class Tax(Typed):
    """The sum of one tax over the receipt, all amounts with the sign of the sale.

    description: its name, such as VAT. percent: its rate, 25 for 25 %. amount: the tax. including_tax: what it is on,
    with it. excluding_tax: what it is on, without it.

    Raises InvalidValue unless the last two differ by the amount.
    """

    description: str
    percent: Decimal
    amount: Decimal
    including_tax: Decimal
    excluding_tax: Decimal

    def __attrs_post_init__(self) -> None:
        settle_types(self)
        if not is_in_bounds(self.percent, self.amount, self.including_tax, self.excluding_tax):
            fault = _out_of_bounds(self, "percent", "amount", "including_tax", "excluding_tax")
            raise InvalidValue(fault, place=self._place())
        including = self.excluding_tax + self.amount
        if including != self.including_tax:
            raise InvalidValue(
                f"excluding_tax and amount sum to {including}, including_tax is {self.including_tax}"
                f" (difference {including - self.including_tax})",
                place=self._place(),
            )

    def _place(self) -> str:
        return f"tax {label(self.description)}"


@attrs.frozen(kw_only=True)
class Promotion(Typed):
    """A promotion or coupon the customer used. One of the two ids identifies it in Engage.

    promotion_id: of the promotion. coupon_id: of the customer's own coupon.
    """

    promotion_id: str = ""
    coupon_id: str = ""


@attrs.frozen(kw_only=True)
class RawRef(Typed):
    """The source of a receipt.

    sha256: of the document, in hexadecimal digits. document: its name. place: where in it the record is ("line 120").
    """

    sha256: str
    document: str
    place: str = ""


@attrs.frozen(kw_only=True)
class Receipt(Typed):
    """A completed sale or return, as the till printed it.

    id: deterministic, from `identity.receipt_id`; sent as Engage's uniqueReceiptId, its idempotency key.
    number: the printed number, not unique.
    created: local time with its offset, never converted to UTC (Engage contract, "save a receipt").
    business_date: the trading day; after midnight it may differ from the date of `created`.
    store: the store's id at Engage. till: the till's number, "" where there is one only.
    currency: of every amount, as in ISO 4217.
    total: the amount paid, with tax; negative when more was returned than bought.
    lines: what was bought and returned; tenders: how it was paid; taxes: their sums, where the till has them.
    raw: where in which document it was read.
    customer: who bought; None where the till does not know.
    vouchers: numbers of the bonus checks that were used; promotions: those that were used.
    flags: conditions that are allowed and may interest a person ("dst-ambiguous", "clock-off").
    extra: names and texts of the till's own, at most ten for Engage.

    Raises InvalidValue unless: the lines sum to the total, and so do the tenders; amounts have no more digits than the
    currency; `created` has an offset; the currency is three capital letters (ISO 4217); id and store are not empty.
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
    extra: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    written: bytes = attrs.field(default=b"", init=False, eq=False, repr=False)
    """The canonical bytes (receipt_json.py) where they were made when it was read; a changed receipt has none."""

    def __attrs_post_init__(self) -> None:
        settle_types(self)
        _set(self, "extra", _frozen(self.extra))
        if not (self.id and self.store and self.currency):
            name = next(name for name in ("id", "store", "currency") if not getattr(self, name))
            raise self._error(f"{name} is empty")
        if self.created.tzinfo is None or self.created.utcoffset() is None:
            raise self._error("the time has no offset")
        if not _CURRENCY.fullmatch(self.currency):
            raise self._error("the currency is not an ISO 4217 code of three capital letters")
        paid = [line.paid for line in self.lines]
        tendered = [tender.amount for tender in self.tenders]
        digits = minor_digits(self.currency)
        unit = _MINOR_UNITS[digits]
        if not is_in_bounds(self.total):
            raise self._error(f"total is {OUT_OF_BOUNDS}")
        if not is_in_bounds(*tendered):
            raise self._error(f"the amount of a tender is {OUT_OF_BOUNDS}")
        for amount in (self.total, *paid, *tendered):
            if not amount.same_quantum(unit) and amount != round(amount, digits):
                raise self._error(f"{amount} has more digits behind the point than {self.currency}, which has {digits}")
        for name, amounts in (("lines", paid), ("tenders", tendered)):
            if (sum_ := sum(amounts, _ZERO)) != self.total:
                raise mismatch(
                    f"{name} sum to", sum_, "the receipt's total is", self.total, self.currency, place=self._place()
                )

    def _place(self) -> str:
        return f"receipt {label(self.number)} of store {label(self.store)}"

    def _error(self, fault: str) -> InvalidValue:
        return InvalidValue(fault, place=self._place())

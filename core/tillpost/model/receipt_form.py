"""The JSON form of a receipt as msgspec reads and writes it: every key with its type, in the canonical order.

A key that is not there is UNSET, so that what was read can be told from what is meant.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from tillpost.model.customer import Customer
from tillpost.model.money import decimal_text, minor_digits
from tillpost.model.receipt import Discount, Line, LineKind, RawRef, Receipt, Tax, Tender

Text = str | UnsetType
Pairs = dict[str, str] | UnsetType
Texts = list[str] | UnsetType


class _Form(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Fields stand in the order of their names: that is the canonical one."""


class DiscountForm(_Form, kw_only=True):
    """`Discount`."""

    description: Text = UNSET
    type: str
    value: str


class LineForm(_Form, kw_only=True):
    """`Line`."""

    article_group: Text = UNSET
    article_name: Text = UNSET
    article_number: Text = UNSET
    discounts: list[DiscountForm] | UnsetType = UNSET
    extra: Pairs = UNSET
    kind: LineKind
    paid: str
    quantity: str
    sku: str
    tax_amount: Text = UNSET
    tax_percent: Text = UNSET


class TenderForm(_Form, kw_only=True):
    """`Tender`."""

    amount: str
    description: Text = UNSET
    extra: Pairs = UNSET
    type: str


class TaxForm(_Form, kw_only=True):
    """`Tax`."""

    amount: str
    description: str
    excluding_tax: str
    including_tax: str
    percent: str


class IdentifierForm(_Form, kw_only=True):
    """`Identifier`."""

    kind: str
    value: str


class CustomerForm(_Form, kw_only=True):
    """`Customer`."""

    attributes: Pairs = UNSET
    identifiers: list[IdentifierForm] | UnsetType = UNSET


class PromotionForm(_Form, kw_only=True):
    """`Promotion`."""

    coupon_id: Text = UNSET
    promotion_id: Text = UNSET


class RawForm(_Form, kw_only=True):
    """`RawRef`."""

    document: str
    place: Text = UNSET
    sha256: str


class ReceiptForm(_Form, kw_only=True):
    """`Receipt`."""

    business_date: str
    created: str
    currency: str
    customer: CustomerForm | UnsetType | None = UNSET
    extra: Pairs = UNSET
    flags: Texts = UNSET
    id: Text = UNSET
    lines: list[LineForm]
    number: str
    promotions: list[PromotionForm] | UnsetType = UNSET
    raw: RawForm | UnsetType = UNSET
    store: str
    taxes: list[TaxForm] | UnsetType = UNSET
    tenders: list[TenderForm]
    till: str
    total: str
    vouchers: Texts = UNSET


# --- writing -------------------------------------------------------------------------------------------------------

MOST = 10_000
"""Values of which the text is remembered: amounts, rates and quantities repeat from receipt to receipt."""


class _DecimalTexts(dict[Decimal, str]):
    """Value → its text with at least so many digits; equal values have one text."""

    def __init__(self, least_digits: int) -> None:
        super().__init__()
        self._least_digits = least_digits

    def __missing__(self, value: Decimal) -> str:
        text = decimal_text(value, self._least_digits)
        if len(self) >= MOST:
            self.clear()
        self[value] = text
        return text


_texts = {digits: _DecimalTexts(digits) for digits in (0, 2, 3, 4)}
"""By the digits of currencies."""


def _line(line: Line, money: _DecimalTexts, number: _DecimalTexts) -> LineForm:
    return LineForm(
        article_group=line.article_group,
        article_name=line.article_name,
        article_number=line.article_number,
        discounts=[_discount(each, money) for each in line.discounts] if line.discounts else [],
        extra=dict(line.extra),
        kind=line.kind,
        paid=money[line.paid],
        quantity=number[line.quantity],
        sku=line.sku,
        tax_amount=money[line.tax_amount],
        tax_percent=number[line.tax_percent],
    )


def _discount(discount: Discount, money: _DecimalTexts) -> DiscountForm:
    return DiscountForm(description=discount.description, type=discount.type, value=money[discount.value])


def _tender(tender: Tender, money: _DecimalTexts) -> TenderForm:
    return TenderForm(
        amount=money[tender.amount], description=tender.description, extra=dict(tender.extra), type=tender.type
    )


def _tax(tax: Tax, money: _DecimalTexts, number: _DecimalTexts) -> TaxForm:
    return TaxForm(
        amount=money[tax.amount],
        description=tax.description,
        excluding_tax=money[tax.excluding_tax],
        including_tax=money[tax.including_tax],
        percent=number[tax.percent],
    )


def _customer(customer: Customer) -> CustomerForm:
    return CustomerForm(
        attributes=dict(customer.attributes),
        identifiers=[IdentifierForm(kind=each.kind, value=each.value) for each in customer.identifiers],
    )


def _raw(raw: RawRef) -> RawForm:
    return RawForm(document=raw.document, place=raw.place, sha256=raw.sha256)


def form_of(receipt: Receipt) -> ReceiptForm:
    """The receipt with every key set."""
    money, number = _texts[minor_digits(receipt.currency)], _texts[0]
    return ReceiptForm(
        business_date=receipt.business_date.isoformat(),
        created=receipt.created.isoformat(),
        currency=receipt.currency,
        customer=None if receipt.customer is None else _customer(receipt.customer),
        extra=dict(receipt.extra),
        flags=list(receipt.flags),
        id=receipt.id,
        lines=[_line(line, money, number) for line in receipt.lines],
        number=receipt.number,
        promotions=[
            PromotionForm(coupon_id=each.coupon_id, promotion_id=each.promotion_id) for each in receipt.promotions
        ],
        raw=_raw(receipt.raw),
        store=receipt.store,
        taxes=[_tax(tax, money, number) for tax in receipt.taxes],
        tenders=[_tender(tender, money) for tender in receipt.tenders],
        till=receipt.till,
        total=money[receipt.total],
        vouchers=list(receipt.vouchers),
    )


_encoder = msgspec.json.Encoder(order="deterministic")  # the pairs by their names, too


def encode(form: ReceiptForm) -> bytes:
    """Its bytes: UTF-8, no white space. Raises UnicodeEncodeError for a lone surrogate."""
    return _encoder.encode(form)

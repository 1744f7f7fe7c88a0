"""The quick way to read a receipt in its JSON form, for records of which nothing is unusual.

It says None wherever it has a doubt: then the strict reading (`receipt_json`) decides, and says what is wrong. What it
does read, the strict reading reads to the same receipt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET

from tillpost.errors import LawBroken
from tillpost.model.customer import Customer, Identifier
from tillpost.model.identity import MakeId
from tillpost.model.money import parse_decimal
from tillpost.model.receipt import Discount, Line, Promotion, RawRef, Receipt, Tax, Tender
from tillpost.model.receipt_form import (
    MOST,
    CustomerForm,
    DiscountForm,
    LineForm,
    PromotionForm,
    ReceiptForm,
    TaxForm,
    TenderForm,
    encode,
)

_decoder = msgspec.json.Decoder(ReceiptForm)
# How `encode` writes what `clean` takes away, or a backslash, after which quotes are not easily counted.
_DOUBTFUL = re.compile(rb"\\[\\ubf]|\xef\xbf[\xbe\xbf]")
_LONGEST = 20
_ZERO = Decimal(0)
_NONE: Mapping[str, str] = {}


def plain_receipt(
    content: bytes, *, raw: RawRef | None = None, make_id: MakeId | None = None, cleaned: bool = False
) -> Receipt | None:
    """The receipt in these bytes, None when there is any doubt.

    raw, make_id: for an object that has no `raw`, no `id`. cleaned: refuse text that `clean` would change.
    """
    try:
        form = _decoder.decode(content)
        written = encode(form)
        if _quotes(content) != _quotes(written):
            return None
        if cleaned and (b"\\" in written or b"\xef" in written) and _DOUBTFUL.search(written):
            return None
        return _receipt(form, raw, make_id)
    except (msgspec.DecodeError, LawBroken, ValueError, RecursionError):
        return None


def _quotes(content: bytes) -> int:
    """How many quotes begin or end a text.

    Of two forms with the same texts they are as many. A key that stood twice was lost when it was read, and its quotes
    with it, so what was read has fewer than what stood there.
    """
    if b"\\" not in content:
        return content.count(b'"')
    if b"\\\\" in content:
        raise ValueError("a quote after it may be either")
    return content.count(b'"') - content.count(b'\\"')


class _Decimals(dict[str, Decimal]):
    """Text → its value, as `parse_decimal` reads it."""

    def __missing__(self, text: str) -> Decimal:
        value = parse_decimal(text, "")
        if len(text) <= _LONGEST:
            if len(self) >= MOST:
                self.clear()
            self[text] = value
        return value


_decimals = _Decimals()


def _receipt(form: ReceiptForm, raw: RawRef | None, make_id: MakeId | None) -> Receipt:
    created = datetime.fromisoformat(form.created)
    day = date.fromisoformat(form.business_date)
    if form.raw:
        raw = RawRef(sha256=form.raw.sha256, document=form.raw.document, place=form.raw.place or "")
    identity = form.id
    if identity is UNSET and make_id is not None:
        identity = make_id(store=form.store, till=form.till, business_date=day, number=form.number)
    if identity is UNSET or raw is None or created.tzinfo is None:
        raise ValueError("something is missing")
    return Receipt(
        id=identity,
        number=form.number,
        created=created,
        business_date=day,
        store=form.store,
        till=form.till,
        currency=form.currency,
        total=_decimals[form.total],
        lines=tuple([_line(each) for each in form.lines]),
        tenders=tuple([_tender(each) for each in form.tenders]),
        raw=raw,
        taxes=tuple([_tax(each) for each in form.taxes or ()]),
        customer=_customer(form.customer) if form.customer else None,
        vouchers=tuple(form.vouchers or ()),
        promotions=tuple([_promotion(each) for each in form.promotions or ()]),
        flags=tuple(form.flags or ()),
        extra=form.extra or _NONE,
    )


def _line(form: LineForm) -> Line:
    return Line(
        kind=form.kind,
        sku=form.sku,
        quantity=_decimals[form.quantity],
        paid=_decimals[form.paid],
        tax_amount=_decimals[form.tax_amount] if form.tax_amount is not UNSET else _ZERO,
        tax_percent=_decimals[form.tax_percent] if form.tax_percent is not UNSET else _ZERO,
        article_number=form.article_number or "",
        article_name=form.article_name or "",
        article_group=form.article_group or "",
        discounts=tuple([_discount(each) for each in form.discounts]) if form.discounts else (),
        extra=form.extra or _NONE,
    )


def _discount(form: DiscountForm) -> Discount:
    return Discount(type=form.type, value=_decimals[form.value], description=form.description or "")


def _tender(form: TenderForm) -> Tender:
    return Tender(
        type=form.type,
        amount=_decimals[form.amount],
        description=form.description or "",
        extra=form.extra or _NONE,
    )


def _tax(form: TaxForm) -> Tax:
    return Tax(
        description=form.description,
        percent=_decimals[form.percent],
        amount=_decimals[form.amount],
        including_tax=_decimals[form.including_tax],
        excluding_tax=_decimals[form.excluding_tax],
    )


def _customer(form: CustomerForm) -> Customer:
    return Customer(
        identifiers=tuple([Identifier(each.kind, each.value) for each in form.identifiers or ()]),
        attributes=form.attributes or _NONE,
    )


def _promotion(form: PromotionForm) -> Promotion:
    return Promotion(promotion_id=form.promotion_id or "", coupon_id=form.coupon_id or "")

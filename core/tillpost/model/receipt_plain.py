"""The quick way to read a receipt in its JSON form, for records of which nothing is unusual.

It says None wherever it has a doubt: then the strict reading (`receipt_json`) decides, and says what is wrong. What it
does read, the strict reading reads to the same receipt. msgspec makes the values, without a step of ours for each; the
laws of the model are checked as always.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from tillpost.errors import InvalidValue
from tillpost.model.customer import tidy_identifier
from tillpost.model.identity import MakeId
from tillpost.model.money import decimal_text, minor_digits, parse_decimal
from tillpost.model.receipt import RawRef, Receipt
from tillpost.model.receipt_form import MOST, RawForm, ReceiptForm, encode

_decoder = msgspec.json.Decoder(ReceiptForm)
# What msgspec knows of a type it finds out at the first use, and two threads that do so at once end the process with
# a signal (0.22). So it is found out here, where the import lets one thread in; the decoder itself is of no use.
msgspec.json.Decoder(Receipt)
# How `encode` writes what `clean` takes away, or a backslash, after which quotes are not easily counted.
_DOUBTFUL = re.compile(rb"\\[\\ubf]|\xef\xbf[\xbe\xbf]")
_LONGEST = 20
"""Characters of a number that is remembered with its value."""


def plain_record(content: bytes, *, raw: RawRef, make_id: MakeId) -> Receipt | None:
    """The receipt in a till's record, None when there is any doubt; also for text that `clean` would change.

    raw, make_id: for an object that has no `raw`, no `id`.
    """
    try:
        form = _decoder.decode(content)
        written = encode(form)
        if _quotes(content) != _quotes(written):
            return None
        if (b"\\" in written or b"\xef" in written) and _DOUBTFUL.search(written):
            return None
        created, day = datetime.fromisoformat(form.created), date.fromisoformat(form.business_date)
        form.created, form.business_date = created.isoformat(), day.isoformat()
        if form.id is UNSET:
            form.id = make_id(store=form.store, till=form.till, business_date=day, number=form.number)
        if form.raw is UNSET:
            form.raw = RawForm(sha256=raw.sha256, document=raw.document, place=raw.place)
        _complete(form)
        body = encode(form)
        receipt = _receipt(form)
    except _DOUBTS:
        return None
    object.__setattr__(receipt, "written", body)
    return receipt


def plain_body(content: bytes) -> Receipt | None:
    """The receipt in canonical bytes; None for any others and when there is any doubt."""
    try:
        form = _decoder.decode(content)
        return _receipt(form) if encode(form) == content else None
    except _DOUBTS:
        return None


_DOUBTS = (msgspec.MsgspecError, InvalidValue, ValueError, TypeError, RecursionError)


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


class _Canonical(dict[str | msgspec.UnsetType, str]):
    """Text of a number → its canonical text; UNSET is zero."""

    def __init__(self, least_digits: int) -> None:
        super().__init__()
        self._least_digits = least_digits

    def __missing__(self, text: str | msgspec.UnsetType) -> str:
        written = decimal_text(_decimals[text] if text else Decimal(0), self._least_digits)
        if not text or len(text) <= _LONGEST:
            if len(self) >= MOST:
                self.clear()
            self[text] = written
        return written


_decimals = _Decimals()
_canonical = {digits: _Canonical(digits) for digits in (0, 2, 3, 4)}


def _complete(form: ReceiptForm) -> None:
    """Every key that may be left out, and every number in its canonical text."""
    money, number = _canonical[minor_digits(form.currency)], _canonical[0]
    form.total = money[form.total]
    form.customer = form.customer or None
    form.extra = form.extra or {}
    form.flags = form.flags or []
    form.promotions = form.promotions or []
    form.taxes = form.taxes or []
    form.vouchers = form.vouchers or []
    for line in form.lines:
        line.paid, line.quantity = money[line.paid], number[line.quantity]
        line.tax_amount, line.tax_percent = money[line.tax_amount], number[line.tax_percent]
        line.article_group = line.article_group or ""
        line.article_name = line.article_name or ""
        line.article_number = line.article_number or ""
        line.extra = line.extra or {}
        line.discounts = line.discounts or []
        for discount in line.discounts:
            discount.value = money[discount.value]
            discount.description = discount.description or ""
    for tender in form.tenders:
        tender.amount = money[tender.amount]
        tender.description = tender.description or ""
        tender.extra = tender.extra or {}
    for tax in form.taxes:
        tax.amount, tax.percent = money[tax.amount], number[tax.percent]
        tax.including_tax, tax.excluding_tax = money[tax.including_tax], money[tax.excluding_tax]
    for promotion in form.promotions:
        promotion.coupon_id = promotion.coupon_id or ""
        promotion.promotion_id = promotion.promotion_id or ""
    if form.customer:
        form.customer.attributes = {name: value for name, value in (form.customer.attributes or {}).items() if value}
        form.customer.identifiers = form.customer.identifiers or []
        for each in form.customer.identifiers:
            each.value = tidy_identifier(each.kind, each.value)
    if form.raw:
        form.raw.place = form.raw.place or ""


def _receipt(form: Any) -> Receipt:
    """The receipt of a complete form, whose texts of numbers and times are taken for their values."""
    decimals = _decimals  # shared by all receipts: msgspec would make each anew
    form.created = datetime.fromisoformat(form.created)
    form.business_date = date.fromisoformat(form.business_date)
    form.total = decimals[form.total]
    for line in form.lines:
        line.paid, line.quantity = decimals[line.paid], decimals[line.quantity]
        line.tax_amount, line.tax_percent = decimals[line.tax_amount], decimals[line.tax_percent]
        for discount in line.discounts:
            discount.value = decimals[discount.value]
    for tender in form.tenders:
        tender.amount = decimals[tender.amount]
    for tax in form.taxes:
        tax.amount, tax.percent = decimals[tax.amount], decimals[tax.percent]
        tax.including_tax, tax.excluding_tax = decimals[tax.including_tax], decimals[tax.excluding_tax]
    return msgspec.convert(form, Receipt, from_attributes=True)

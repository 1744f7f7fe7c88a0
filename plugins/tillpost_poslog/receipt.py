"""One retail transaction as a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ZERO, MakeId, parse_date, parse_time
from tillpost.kit.xml import attribute, children, decimal, is_true, text
from tillpost.model import RawRef, Receipt, Tender
from tillpost_poslog.balance import Balanced, balance
from tillpost_poslog.customer import read_customer
from tillpost_poslog.layaway import paid_before
from tillpost_poslog.line_items import DraftLine, TaxEntry, read_lines, tax_entry
from tillpost_poslog.rewards import apply_rewards
from tillpost_poslog.settings import Settings
from tillpost_poslog.status import TransactionKey, transaction_key
from tillpost_poslog.tenders import has_tenders, read_tenders

_TIMES = ("ReceiptDateTime", "EndDateTime", "POSLogDateTime", "BeginDateTime")
_GRAND = ("TransactionGrandAmount", "TransactionTotalAmount", "TransactionGrossAmount")
_NOT_RETURNS = ("void", "reprint", "layaway", "order", "suspend", "retriev")
"""Words in the reason of a link that is not about a return."""


def _total(retail: _Element, *types: str) -> Decimal | None:
    totals = list(children(retail, "Total"))
    for kind in types:
        for total in totals:
            if attribute(total, "TotalType") == kind:
                return decimal(total) if text(total) else decimal(total, "Amount")
    return None


def _currency(transaction: _Element, retail: _Element, settings: Settings) -> str:
    written = text(transaction, "CurrencyCode") or text(retail, "CurrencyCode")
    for total in children(retail, "Total"):
        written = written or attribute(total, "CurrencyCode") or attribute(total, "Currency")
    found = written or settings.currency
    if not found:
        raise InvalidValue("CurrencyCode is missing; set `currency` of the adapter", place="Transaction")
    return found


def _lines_and_tenders(
    retail: _Element,
    drafts: Sequence[DraftLine],
    entries: Sequence[TaxEntry],
    stated: Decimal,
    currency: str,
    settings: Settings,
) -> tuple[Balanced, tuple[Tender, ...]]:
    """The lines and the tenders that sum to the total.

    What was paid before on articles put aside is a tender `deposit`; the stated total may include it or not.
    Raises InvalidValue, with the difference of the reading without a deposit.
    """
    stated_tax, first_error = _total(retail, "TransactionTaxAmount"), None
    for before in (ZERO, *paid_before(retail)):
        for total in dict.fromkeys((stated, stated + before)):
            try:
                balanced = balance(drafts, entries, total, stated_tax, currency, settings)
                today = balanced.total - before
                tenders = (
                    read_tenders(retail, today, currency, settings.tenders) if has_tenders(retail) or today else ()
                )
            except InvalidValue as error:
                first_error = first_error or error
                continue
            deposit = (Tender(type="deposit", amount=before, description="Paid before"),) if before else ()
            return balanced, (*tenders, *deposit)
    assert first_error is not None
    raise first_error


def _original_receipt(holder: _Element, own: TransactionKey, make_id: MakeId) -> str:
    """The original of a return: its receipt id where the link has the day, else its number; "" when it has neither.

    Store and till that a link leaves out are those of the return. Its day is not: few return on the day they bought.
    """
    for link in children(holder, "TransactionLink"):
        reason = (attribute(link, "ReasonCode") or text(link, "ReasonCode")).lower()
        original = transaction_key(link)
        if any(word in reason for word in _NOT_RETURNS):
            continue
        if original.number and original.date:
            try:
                return make_id(
                    store=original.store or own.store,
                    till=original.till or own.till,
                    business_date=parse_date(original.date, "TransactionLink/BusinessDayDate"),
                    number=original.number,
                )
            except InvalidValue:
                pass
        if number := original.number or text(link, "TransactionID") or text(link, "ReceiptNumber"):
            return number
    return ""


def read_receipt(
    transaction: _Element, retail: _Element, own: TransactionKey, source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up.

    The id is made from the sequence number, which is unique for a till and a business date; the receipt number
    is the printed one, where the export has both.
    """
    currency = _currency(transaction, retail, settings)
    times = (text(part, name) for name in _TIMES for part in (retail, transaction))
    created, flags = parse_time(next(filter(None, times), ""), settings.timezone, "Transaction/EndDateTime")
    written = text(transaction, "BusinessDayDate")
    business_date = parse_date(written, "Transaction/BusinessDayDate") if written else created.date()
    shared_original = _original_receipt(retail, own, make_id)
    drafts = read_lines(
        retail, currency, settings, lambda item: _original_receipt(item, own, make_id) or shared_original
    )
    apply_rewards(retail, drafts, currency)
    entries = [
        tax_entry(tax, 1)
        for entry in children(retail, "LineItem")
        if not is_true(entry, "VoidFlag")
        for tax in children(entry, "Tax")
    ]
    stated = _total(retail, *_GRAND)
    if stated is None:
        raise InvalidValue("the Total of type TransactionGrandAmount is missing", place="RetailTransaction")
    balanced, tenders = _lines_and_tenders(retail, drafts, entries, stated, currency, settings)
    return Receipt(
        id=make_id(store=own.store, till=own.till, business_date=business_date, number=own.number),
        number=text(retail, "ReceiptNumber") or text(transaction, "ReceiptNumber") or own.number,
        created=created,
        business_date=business_date,
        store=own.store,
        till=own.till,
        currency=currency,
        total=balanced.total,
        lines=balanced.lines,
        tenders=tenders,
        taxes=balanced.taxes,
        customer=read_customer(retail, settings),
        flags=flags,
        raw=source,
    )

"""One Transaction as a receipt."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ROUNDING_AS_TENDER, MakeId, Reading, first_reading, parse_time
from tillpost.kit.xml import attribute, children, text
from tillpost.model import LineKind, NoReceipt, RawRef, Receipt, Tender
from tillpost_digital_receipt.balance import Balanced, balance
from tillpost_digital_receipt.customer import read_customer
from tillpost_digital_receipt.line_items import original_receipt, read_items
from tillpost_digital_receipt.rounding import rounding_tendered
from tillpost_digital_receipt.settings import Settings
from tillpost_digital_receipt.taxes import read_taxes
from tillpost_digital_receipt.tenders import read_tenders
from tillpost_digital_receipt.totals import Total, read_totals

TOTAL_BY_TENDERS = "total-by-tenders"
"""The flag of a receipt whose first Total is put aside: lines and tenders sum to another one."""


def store(transaction: _Element) -> str:
    """The store's id: the first BusinessUnit, which may be that of the Swedish extension."""
    return text(transaction, "BusinessUnit", "UnitID")


def number(transaction: _Element) -> str:
    """The number of the transaction within its till: the sequence number, else the printed one."""
    names = ("SequenceNumber", "ReceiptNumber", "ReceiptCode")
    return next((found for name in names if (found := text(transaction, name))), "")


def control_unit(element: _Element) -> str:
    """The lines of the tax control unit (kontrollenhet) with their labels, as one text."""
    lines = (f"{attribute(line, 'Name')} {text(line)}".strip() for line in children(element, "Text"))
    return "; ".join(line for line in lines if line)


def read_receipt(
    transaction: _Element, retail: _Element, source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt | NoReceipt:
    """The receipt, NoReceipt when nothing is left of it.

    Raises InvalidValue with what is missing, or with the difference where amounts do not add up.

    The format has no business date: it is the day of the receipt's time.
    """
    if sum(1 for _ in children(transaction, "RetailTransaction")) > 1:
        raise InvalidValue("has several RetailTransactions, one is allowed", place="Transaction")
    written = text(transaction, "ReceiptDateTime") or text(transaction, "POSLogDateTime")
    created, flags = parse_time(written, settings.timezone, "Transaction/ReceiptDateTime")
    totals = read_totals(retail)
    currency = text(transaction, "CurrencyCode") or attribute(totals[0].element, "CurrencyCode") or settings.currency
    drafts = read_items(retail, currency, original_receipt(retail, make_id), make_id)
    taxes = read_taxes(retail)

    def settle(total: Total, value: Decimal, with_roundings: bool) -> tuple[Total, Balanced, tuple[Tender, ...]]:
        balanced = balance(retail, drafts, taxes, value, currency)
        tenders = read_tenders(retail, balanced.total, currency, settings.tenders, with_roundings=with_roundings)
        return total, balanced, tenders

    def readings() -> Iterator[Reading[tuple[Total, Balanced, tuple[Tender, ...]]]]:
        rounded = rounding_tendered(retail)
        for index, total in enumerate(totals):
            said, flag = (
                f"by the Total {total.type or 'without a type'}",
                TOTAL_BY_TENDERS if index else ROUNDING_AS_TENDER if rounded else "",
            )
            yield Reading(said, partial(settle, total, total.value, True), flag)
            for value in (total.value, total.value + rounded, total.value - rounded) if rounded else ():
                yield Reading(
                    f"{said}, {value} with the rounding", partial(settle, total, value, False), ROUNDING_AS_TENDER
                )

    (total, balanced, tenders), total_flags = first_reading(readings())
    if not balanced.lines and not balanced.total:
        return NoReceipt(reason="all lines are voided", place=source.place, retail=True, number=number(transaction))
    _check_return(transaction, total.element, balanced)
    customer, customer_flags = read_customer(retail, created.date(), settings)
    place, till = store(transaction), text(transaction, "WorkstationID")
    return Receipt(
        id=make_id(store=place, till=till, business_date=created.date(), number=number(transaction)),
        number=text(transaction, "ReceiptNumber") or number(transaction),
        created=created,
        business_date=created.date(),
        store=place,
        till=till,
        currency=currency,
        total=balanced.total,
        lines=balanced.lines,
        tenders=tenders,
        taxes=balanced.taxes,
        customer=customer,
        flags=(*flags, *total_flags, *balanced.flags, *customer_flags),
        extra=_extra(transaction),
        raw=source,
    )


def _check_return(transaction: _Element, grand: _Element, balanced: Balanced) -> None:
    """Raise InvalidValue for a transaction marked as a return that takes money in: it must not be sent as a sale."""
    returned = any(line.kind is LineKind.RETURN for line in balanced.lines)
    is_refund = attribute(grand, "TypeCode") == "Return"
    if balanced.total > 0 and (
        is_refund or (attribute(transaction, "TypeCode") == "ReturnTransaction" and not returned)
    ):
        raise InvalidValue(f"is a return, but its total {balanced.total} is not paid back", place="RetailTransaction")


def _extra(transaction: _Element) -> dict[str, str]:
    """The Swedish fields that the model does not have: receipt code, issuer, control unit."""
    units = [control_unit(unit) for unit in children(transaction, "ControlUnit")]
    found = {
        "receiptCode": text(transaction, "ReceiptCode"),
        "organisationId": text(transaction, "Issuer", "OrganisationID"),
        "controlUnit": "; ".join(unit for unit in units if unit),
    }
    return {name: value for name, value in found.items() if value}

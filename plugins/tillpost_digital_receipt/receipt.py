"""One Transaction as a receipt."""

from __future__ import annotations

from decimal import Decimal

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import MakeId, parse_time
from tillpost.kit.xml import attribute, children, decimal, text
from tillpost.model import LineKind, RawRef, Receipt
from tillpost_digital_receipt.customer import read_customer
from tillpost_digital_receipt.items import read_items
from tillpost_digital_receipt.origin import original_receipt
from tillpost_digital_receipt.settings import Settings
from tillpost_digital_receipt.settle import Settled, settle
from tillpost_digital_receipt.taxes import read_taxes
from tillpost_digital_receipt.tenders import read_tenders

_GRAND = "TransactionGrandAmount"


def store(transaction: _Element) -> str:
    """The store's id; the Swedish extension has a BusinessUnit of its own, which stands in when there is no other."""
    return text(transaction, "BusinessUnit", "UnitID")


def number(transaction: _Element) -> str:
    """What names the transaction within its till: the sequence number, else the printed one."""
    names = ("SequenceNumber", "ReceiptNumber", "ReceiptCode")
    return next((found for name in names if (found := text(transaction, name))), "")


def control_unit(element: _Element) -> str:
    """The lines of the tax control unit (kontrollenhet), with their labels."""
    lines = (f"{attribute(line, 'Name')} {text(line)}".strip() for line in children(element, "Text"))
    return "; ".join(line for line in lines if line)


def _total(retail: _Element) -> tuple[_Element, Decimal]:
    """The grand total, and its value as written."""
    for total in children(retail, "Total"):
        if attribute(total, "TotalType") == _GRAND:
            value = decimal(total)
            if value is not None:
                return total, value
    raise InvalidValue(f"the Total of type {_GRAND} is missing", place="RetailTransaction")


def read_receipt(
    transaction: _Element, retail: _Element, source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing or does not add up, and by how much.

    The format has no trading day: the day of the receipt's time is it.
    """
    if sum(1 for _ in children(transaction, "RetailTransaction")) > 1:
        raise InvalidValue("has several RetailTransactions, one is allowed", place="Transaction")
    written = text(transaction, "ReceiptDateTime") or text(transaction, "POSLogDateTime")
    created, flags = parse_time(written, settings.timezone, "Transaction/ReceiptDateTime")
    grand, stated = _total(retail)
    currency = text(transaction, "CurrencyCode") or attribute(grand, "CurrencyCode") or settings.currency
    origin = original_receipt(retail, make_id)
    taxes = read_taxes(retail)
    settled = settle(read_items(retail, currency, origin, make_id), taxes, retail, stated, currency)
    _check_return(transaction, grand, settled)
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
        total=settled.total,
        lines=settled.lines,
        tenders=read_tenders(retail, settled.total, currency, settings.tenders),
        taxes=settled.taxes,
        customer=customer,
        flags=(*flags, *settled.flags, *customer_flags),
        extra=_extra(transaction),
        raw=source,
    )


def _check_return(transaction: _Element, grand: _Element, settled: Settled) -> None:
    """What says it is a return must not go out as a sale, whatever its lines are called."""
    returned = any(line.kind is LineKind.RETURN for line in settled.lines)
    paid_back = attribute(grand, "TypeCode") == "Return"
    if settled.total > 0 and (
        paid_back or (attribute(transaction, "TypeCode") == "ReturnTransaction" and not returned)
    ):
        raise InvalidValue(f"is a return, but its total {settled.total} is not paid back", place="RetailTransaction")


def _extra(transaction: _Element) -> dict[str, str]:
    """The Swedish fields that have no place in the model: receipt code, issuer, control unit."""
    units = [control_unit(unit) for unit in children(transaction, "ControlUnit")]
    found = {
        "receiptCode": text(transaction, "ReceiptCode"),
        "organisationId": text(transaction, "Issuer", "OrganisationID"),
        "controlUnit": "; ".join(unit for unit in units if unit),
    }
    return {name: value for name, value in found.items() if value}

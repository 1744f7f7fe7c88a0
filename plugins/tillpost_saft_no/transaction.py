"""One cashtransaction as a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import MakeId, parse_date, parse_time
from tillpost.kit.xml import amount, child, children, decimal, text
from tillpost.model import Line, LineKind, RawRef, Receipt, Tax
from tillpost_saft_no.codes import CORRECTION, RETURN_PAYMENT, TRANSACTIONS
from tillpost_saft_no.customer import read_customer
from tillpost_saft_no.lines import read_lines, signed
from tillpost_saft_no.masters import Masters
from tillpost_saft_no.payments import settle
from tillpost_saft_no.settings import Settings

ZERO = Decimal(0)
TAX_OFF = "tax-off"
"""The flag of a receipt whose taxes as the till summed them are not those of its lines."""


def number(transaction: _Element) -> str:
    """What names the transaction within its register.

    Not receiptNum: that counts how often a receipt was printed, and is 1 for nearly all.
    """
    return text(transaction, "transID") or text(transaction, "nr")


def store(masters: Masters, settings: Settings) -> str:
    """The store id of the location we are at."""
    return settings.stores.get(masters.location, masters.location)


def _code(transaction: _Element, masters: Masters, settings: Settings) -> str:
    own = text(transaction, "transType")
    return settings.transactions.get(own) or masters.predefined("11", own)


def _flag(transaction: _Element, name: str) -> bool:
    return text(transaction, name).lower() in ("true", "1")


def no_sale_reason(transaction: _Element, masters: Masters, settings: Settings) -> tuple[str, bool] | None:
    """Why a transaction is no sale, and whether one was begun; None when it is one. Raises InvalidValue."""
    if _flag(transaction, "trainingID"):
        return "training", True
    if _flag(transaction, "voidTransaction"):
        return "voided", True
    code = TRANSACTIONS.get(_code(transaction, masters, settings))
    if code is not None and not code.sale:
        return code.name, False
    if child(transaction, "ctLine") is None and not amount(transaction, "transAmntIn"):
        return "no lines", True
    return None


def read_receipt(
    transaction: _Element, masters: Masters, source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing or does not add up, and by how much.

    The trading day is the day of the transaction; the format has no other.
    """
    currency, own, place = masters.currency, number(transaction), store(masters, settings)
    if not place:
        raise InvalidValue("has no name; name it in `stores` of the adapter", place="location")
    day = parse_date(text(transaction, "transDate"), "cashtransaction/transDate")
    created, flags = parse_time(
        f"{day.isoformat()}T{text(transaction, 'transTime')}", settings.timezone, "cashtransaction/transTime"
    )
    stated = signed(amount(transaction, "transAmntIn"), text(transaction, "amntTp"))
    lines = read_lines(transaction, masters, stated, currency)
    code_name = _code(transaction, masters, settings)
    code = TRANSACTIONS.get(code_name)
    rounding = decimal(transaction, "rounding", "roundingAmnt") or ZERO
    total, tenders = settle(transaction, masters, stated, rounding, settings, credit=code is not None and code.credit)
    if code_name == RETURN_PAYMENT and total > 0:
        raise InvalidValue(f"is a return payment, but its total {total} is not paid back", place="cashtransaction")
    if total != stated:
        lines = (*lines, _rounding(total - stated))
    taxes = _taxes(transaction, masters, lines)
    if sum((tax.amount for tax in taxes), ZERO) != sum((line.tax_amount for line in lines), ZERO):
        flags = (*flags, TAX_OFF)
    if code_name == CORRECTION:
        flags = (*flags, "correction")
    invoice = text(transaction, "invoiceID")
    return Receipt(
        id=make_id(store=place, till=masters.register, business_date=day, number=own),
        number=own,
        created=created,
        business_date=day,
        store=place,
        till=masters.register,
        currency=currency,
        total=total,
        lines=lines,
        tenders=tenders,
        taxes=taxes,
        customer=read_customer(transaction, masters, settings),
        flags=flags,
        extra={"invoice": invoice} if invoice else {},
        raw=source,
    )


def _rounding(value: Decimal) -> Line:
    return Line(kind=LineKind.ADJUSTMENT, sku="rounding", quantity=Decimal(1), paid=value, article_name="Rounding")


def _taxes(transaction: _Element, masters: Masters, lines: tuple[Line, ...]) -> tuple[Tax, ...]:
    """The taxes as the till summed them, else those of the lines; a base the till leaves out is that of the lines."""
    bases: dict[Decimal, Decimal] = {}
    sums: dict[Decimal, Decimal] = {}
    for line in lines:
        if line.kind is not LineKind.ADJUSTMENT or line.tax_amount:
            bases[line.tax_percent] = bases.get(line.tax_percent, ZERO) + line.paid - line.tax_amount
            sums[line.tax_percent] = sums.get(line.tax_percent, ZERO) + line.tax_amount
    stated = [_stated(vat, masters, bases) for vat in children(transaction, "vat")]
    return tuple(stated) or tuple(_tax("VAT", percent, sums[percent], bases[percent]) for percent in bases)


def _stated(vat: _Element, masters: Masters, bases: Mapping[Decimal, Decimal]) -> Tax:
    kind = text(vat, "vatAmntTp")
    value, base, percent = signed(amount(vat, "vatAmnt"), kind), decimal(vat, "vatBasAmnt"), decimal(vat, "vatPerc")
    if base is not None:
        base = signed(base, kind)
    else:
        base = bases.get(percent, ZERO) if percent is not None else sum(bases.values(), ZERO)
    if percent is None:
        percent = (value / base * 100).quantize(Decimal("0.01")) if base else ZERO
    return _tax(masters.find("vatCodeDetail", text(vat, "vatCode")).get("vatDesc") or "VAT", percent, value, base)


def _tax(name: str, percent: Decimal, value: Decimal, base: Decimal) -> Tax:
    return Tax(description=name, percent=percent, amount=value, including_tax=base + value, excluding_tax=base)

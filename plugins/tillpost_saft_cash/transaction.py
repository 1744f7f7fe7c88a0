"""One cashtransaction as a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import TAX_OFF, ZERO, MakeId, adjustment, parse_date, parse_time, tax
from tillpost.kit.xml import amount, child, children, decimal, text
from tillpost.model import Line, LineKind, RawRef, Receipt, Tax
from tillpost_saft_cash.codes import CORRECTION, RETURN_PAYMENT, TRANSACTIONS
from tillpost_saft_cash.customer import read_customer
from tillpost_saft_cash.lines import read_lines, signed
from tillpost_saft_cash.master_data import MasterData
from tillpost_saft_cash.payments import balance
from tillpost_saft_cash.settings import Settings

VOIDED = "voided"


def number(transaction: _Element) -> str:
    """The number of the transaction within its register.

    Not receiptNum, which counts how often a receipt was printed and is 1 for nearly all.
    """
    return text(transaction, "transID") or text(transaction, "nr")


def store(master_data: MasterData, settings: Settings) -> str:
    """The store id of the current location."""
    return settings.stores.get(master_data.location, master_data.location)


def _code(transaction: _Element, master_data: MasterData, settings: Settings) -> str:
    own = text(transaction, "transType")
    return settings.transactions.get(own) or master_data.predefined("11", own)


def _is_true(transaction: _Element, name: str) -> bool:
    return text(transaction, name).lower() in ("true", "1")


def not_a_sale(transaction: _Element, master_data: MasterData, settings: Settings) -> tuple[str, bool] | None:
    """Why a transaction is skipped (True: a sale was begun) or ignored (False); None for a sale."""
    if _is_true(transaction, "trainingID"):
        return "training", True
    if _is_true(transaction, "voidTransaction"):
        return VOIDED, True
    code = TRANSACTIONS.get(_code(transaction, master_data, settings))
    if code is not None and not code.sale:
        return code.name, False
    if child(transaction, "ctLine") is None and not amount(transaction, "transAmntIn"):
        # With money that does not cancel it is held, by its difference.
        paid = sum((amount(payment, "paidAmnt") for payment in children(transaction, "payment")), ZERO)
        return None if paid else ("no lines", True)
    return None


def own_id(transaction: _Element, master_data: MasterData, settings: Settings, make_id: MakeId) -> str:
    """The id of its receipt. Raises InvalidValue."""
    day = parse_date(text(transaction, "transDate"), "cashtransaction/transDate")
    return make_id(
        store=store(master_data, settings), till=master_data.register, business_date=day, number=number(transaction)
    )


def read_receipt(
    transaction: _Element, master_data: MasterData, source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up.

    The business date is the day of the transaction: the format has no other.
    """
    currency, own, place = master_data.currency, number(transaction), store(master_data, settings)
    if not place:
        raise InvalidValue("has no name; name it in `stores` of the adapter", place="location")
    day = parse_date(text(transaction, "transDate"), "cashtransaction/transDate")
    created, flags = parse_time(
        f"{day.isoformat()}T{text(transaction, 'transTime')}", settings.timezone, "cashtransaction/transTime"
    )
    stated = signed(amount(transaction, "transAmntIn"), text(transaction, "amntTp"))
    lines = read_lines(transaction, master_data, stated, currency)
    code_name = _code(transaction, master_data, settings)
    code = TRANSACTIONS.get(code_name)
    rounding = decimal(transaction, "rounding", "roundingAmnt") or ZERO
    total, tenders = balance(
        transaction, master_data, stated, rounding, settings, credit=code is not None and code.credit
    )
    if code_name == RETURN_PAYMENT and total > 0:
        raise InvalidValue(f"is a return payment, but its total {total} is not paid back", place="cashtransaction")
    if total != stated:
        lines = (*lines, adjustment("rounding", total - stated, "Rounding"))
    taxes = _taxes(transaction, master_data, lines)
    if sum((entry.amount for entry in taxes), ZERO) != sum((line.tax_amount for line in lines), ZERO):
        flags = (*flags, TAX_OFF)
    if code_name == CORRECTION:
        flags = (*flags, "correction")
    invoice = text(transaction, "invoiceID")
    return Receipt(
        id=make_id(store=place, till=master_data.register, business_date=day, number=own),
        number=own,
        created=created,
        business_date=day,
        store=place,
        till=master_data.register,
        currency=currency,
        total=total,
        lines=lines,
        tenders=tenders,
        taxes=taxes,
        customer=read_customer(transaction, master_data, settings),
        flags=flags,
        extra={"invoice": invoice} if invoice else {},
        raw=source,
    )


def _taxes(transaction: _Element, master_data: MasterData, lines: tuple[Line, ...]) -> tuple[Tax, ...]:
    """The taxes as the till summed them, else the sums of the lines; a base the till leaves out is the lines' own."""
    bases: dict[Decimal, Decimal] = {}
    sums: dict[Decimal, Decimal] = {}
    for line in lines:
        if line.kind is not LineKind.ADJUSTMENT or line.tax_amount:
            bases[line.tax_percent] = bases.get(line.tax_percent, ZERO) + line.paid - line.tax_amount
            sums[line.tax_percent] = sums.get(line.tax_percent, ZERO) + line.tax_amount
    stated = [_stated(vat, master_data, bases) for vat in children(transaction, "vat")]
    return tuple(stated) or tuple(tax("VAT", percent, sums[percent], bases[percent]) for percent in bases)


def _stated(vat: _Element, master_data: MasterData, bases: Mapping[Decimal, Decimal]) -> Tax:
    kind = text(vat, "vatAmntTp")
    value, base, percent = signed(amount(vat, "vatAmnt"), kind), decimal(vat, "vatBasAmnt"), decimal(vat, "vatPerc")
    if base is not None:
        base = signed(base, kind)
    else:
        base = bases.get(percent, ZERO) if percent is not None else sum(bases.values(), ZERO)
    if percent is None:
        percent = (value / base * 100).quantize(Decimal("0.01")) if base else ZERO
    return tax(master_data.find("vatCodeDetail", text(vat, "vatCode")).get("vatDesc") or "VAT", percent, value, base)

"""The lines of a transaction, with their discounts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product

import attrs
from lxml.etree import _Element

from tillpost.kit import ZERO, adjustment, line_kind, mismatch, round_money, spread_discount
from tillpost.kit.xml import amount, child, children, decimal, text
from tillpost.model import Discount, Line, LineKind
from tillpost_saft_cash.codes import TIP
from tillpost_saft_cash.master_data import MasterData

DEBIT = "D"


def signed(value: Decimal, kind: str) -> Decimal:
    """An amount with its sign in the sale: debit is negative.

    Some tills write debit without a sign; the authority's own example has one.
    """
    return -abs(value) if kind == DEBIT else value


def read_lines(transaction: _Element, master_data: MasterData, stated: Decimal, currency: str) -> tuple[Line, ...]:
    """The lines that sum to `stated`, the total of the transaction before it is rounded to coins.

    The format leaves open whether discounts and raises are in the amounts of the lines. The first reading that adds up
    is taken, first that all are in them. Raises InvalidValue with the difference of that one when none adds up.
    """
    reference = text(transaction, "refID")
    written = [_line(element, master_data, reference) for element in children(transaction, "ctLine")]
    receipt_discounts = [_discount(element, master_data, 1) for element in children(transaction, "discount")]
    raises = [_raise(element, master_data) for element in children(transaction, "raise")]
    plain = sum((line.paid for line in written), ZERO)
    on_lines = sum(map(_discounted, written), ZERO)
    on_receipt = sum((discount.value for discount in receipt_discounts), ZERO)
    raised = sum((line.paid for line in raises), ZERO)
    for of_lines, of_receipt, with_raises in product((False, True), repeat=3):
        added = on_lines * of_lines + on_receipt * of_receipt + raised * with_raises
        if plain + added == stated:
            lines = [_reduced(line, _discounted(line), (), currency) for line in written] if of_lines else written
            if of_receipt:
                lines = _spread(receipt_discounts, lines, currency)
            return (*lines, *(raises if with_raises else ()))
    raise mismatch("lines sum to", plain, "transAmntIn is", stated, currency, place="cashtransaction")


def _discounted(line: Line) -> Decimal:
    """The sum of the discounts, negative on a purchase."""
    return sum((discount.value for discount in line.discounts), ZERO)


def _line(element: _Element, master_data: MasterData, reference: str) -> Line:
    """A line as the till wrote it, signed; its discounts may be taken off in `paid` already.

    reference: the receipt a returned line was bought on: the format has one for the whole transaction.
    """
    kind, article = text(element, "amntTp"), text(element, "artID")
    written = amount(element, "lineAmntIn")
    paid = signed(written, kind)
    quantity = decimal(element, "qnt")
    if quantity is None:
        quantity = Decimal(-1 if paid < 0 and article else 1)
    elif kind == DEBIT and written > 0:
        quantity = -abs(quantity)
    master = master_data.find("article", article)
    group = text(element, "artGroupID") or master.get("artGroupID", "")
    group_name = master_data.find("basic", "04", group).get("basicDesc", "")
    tax, percent = _tax(element, paid, kind)
    sign = -1 if paid < 0 else 1
    line_type = line_kind(quantity, paid)
    return Line(
        kind=line_type,
        sku=article or group or text(element, "lineType") or "line",
        quantity=quantity,
        paid=paid,
        tax_amount=tax,
        tax_percent=percent,
        article_number=article,
        article_name=text(element, "cashTransLineDescr") or master.get("artDesc", "") or group_name,
        article_group=group_name or group,
        discounts=tuple(_discount(discount, master_data, sign) for discount in children(element, "discount")),
        extra={"originalReceipt": reference} if reference and line_type is LineKind.RETURN else {},
    )


def _tax(element: _Element, paid: Decimal, kind: str) -> tuple[Decimal, Decimal]:
    vat = child(element, "vat")
    if vat is None:
        return paid - signed(amount(element, "lineAmntEx"), kind), ZERO
    return signed(amount(vat, "vatAmnt"), text(vat, "vatAmntTp") or kind), decimal(vat, "vatPerc") or ZERO


def _discount(element: _Element, master_data: MasterData, sign: int) -> Discount:
    kind = text(element, "dscTp")
    name = master_data.find("basic", "08", kind).get("basicDesc", "") or kind
    return Discount(type="discount", value=-sign * abs(amount(element, "dscAmnt")), description=name)


def _raise(element: _Element, master_data: MasterData) -> Line:
    kind = text(element, "raiseType")
    tip = master_data.predefined("10", kind) == TIP
    name = master_data.find("basic", "10", kind).get("basicDesc", "") or kind
    return adjustment("tip" if tip else "raise", amount(element, "raiseAmnt"), name)


def _reduced(line: Line, by: Decimal, discounts: tuple[Discount, ...], currency: str) -> Line:
    """The line with its price changed by `by`; its tax stays the same part of the price."""
    if not by:
        return line
    paid = line.paid + by
    tax = round_money(line.tax_amount * paid / line.paid, currency) if line.paid else ZERO
    return attrs.evolve(
        line, kind=line_kind(line.quantity, paid), paid=paid, tax_amount=tax, discounts=(*line.discounts, *discounts)
    )


def _spread(discounts: Sequence[Discount], lines: list[Line], currency: str) -> list[Line]:
    """The lines with discounts on the transaction, each spread over the articles that were bought."""
    for discount in discounts:
        carrying = [index for index, line in enumerate(lines) if line.kind is LineKind.PURCHASE and line.paid > 0]
        amounts = [lines[index].paid for index in carrying]
        shares = spread_discount(discount, amounts, currency, "cashtransaction")
        for index, share in zip(carrying, shares, strict=True):
            if share.value:
                lines[index] = _reduced(lines[index], share.value, (share,), currency)
    return lines

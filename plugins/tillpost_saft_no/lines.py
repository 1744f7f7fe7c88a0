"""The lines of a transaction, with what was taken off them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import mismatch, round_money, spread
from tillpost.kit.xml import amount, child, children, decimal, text
from tillpost.model import Discount, Line, LineKind
from tillpost_saft_no.codes import TIP
from tillpost_saft_no.masters import Masters

ZERO = Decimal(0)
DEBIT = "D"


def signed(value: Decimal, kind: str) -> Decimal:
    """An amount with the sign of what it adds to the sale.

    Debit takes away. Some tills write it without a sign, the authority's own example with one: never turn it twice.
    """
    return -abs(value) if kind == DEBIT else value


@attrs.frozen
class Draft:
    """A line as the till wrote it, signed; `discounts` may be off in `paid` already or not."""

    line: Line
    discounts: tuple[Discount, ...]

    def off(self) -> Decimal:
        """What the discounts come to, with the sign of what they add."""
        return sum((discount.value for discount in self.discounts), ZERO)


def read_lines(transaction: _Element, masters: Masters, stated: Decimal, currency: str) -> tuple[Line, ...]:
    """The lines that sum to `stated`, the total of the transaction before it is rounded to coins.

    The format leaves open whether discounts and raises are in the amounts of the lines. The first reading that adds up
    is taken, the usual one first: everything is in them. Raises InvalidValue, by how much that one is off.
    """
    drafts = [_draft(element, masters) for element in children(transaction, "ctLine")]
    whole = [_discount(found, masters, 1) for found in children(transaction, "discount")]
    raises = [_raise(found, masters) for found in children(transaction, "raise")]
    plain = sum((draft.line.paid for draft in drafts), ZERO)
    on_lines = sum((draft.off() for draft in drafts), ZERO)
    on_whole = sum((discount.value for discount in whole), ZERO)
    raised = sum((line.paid for line in raises), ZERO)
    for by_line, by_whole, with_raises in product((False, True), repeat=3):
        apart = (on_lines if by_line else ZERO) + (on_whole if by_whole else ZERO) + (raised if with_raises else ZERO)
        if plain + apart == stated:
            lines = [_line(draft, apart=by_line, currency=currency) for draft in drafts]
            if by_whole:
                lines = _spread(whole, lines, currency)
            return (*lines, *(raises if with_raises else ()))
    raise mismatch("lines sum to", plain, "transAmntIn is", stated, currency, place="cashtransaction")


def _draft(element: _Element, masters: Masters) -> Draft:
    kind, article = text(element, "amntTp"), text(element, "artID")
    written = amount(element, "lineAmntIn")
    paid = signed(written, kind)
    quantity = decimal(element, "qnt")
    if quantity is None:
        quantity = Decimal(-1 if paid < 0 and article else 1)
    elif kind == DEBIT and written > 0:
        quantity = -abs(quantity)
    master = masters.find("article", article)
    group = text(element, "artGroupID") or master.get("artGroupID", "")
    group_name = masters.find("basic", "04", group).get("basicDesc", "")
    tax, percent = _tax(element, paid, kind)
    line = Line(
        kind=_kind(quantity, paid),
        sku=article or group or text(element, "lineType") or "line",
        quantity=quantity,
        paid=paid,
        tax_amount=tax,
        tax_percent=percent,
        article_number=article,
        article_name=text(element, "cashTransLineDescr") or master.get("artDesc", "") or group_name,
        article_group=group_name or group,
        extra=_original(element, quantity, paid),
    )
    sign = -1 if paid < 0 else 1
    return Draft(line, tuple(_discount(found, masters, sign) for found in children(element, "discount")))


def _original(element: _Element, quantity: Decimal, paid: Decimal) -> dict[str, str]:
    """What a returned line was bought on: the format has one reference, for the whole transaction."""
    reference = text(element.getparent(), "refID") if _kind(quantity, paid) is LineKind.RETURN else ""
    return {"originalReceipt": reference} if reference else {}


def _kind(quantity: Decimal, paid: Decimal) -> LineKind:
    if quantity >= 0 and paid >= 0:
        return LineKind.PURCHASE
    # Money back for a positive quantity is a deposit handed back or a coupon, no returned article.
    return LineKind.RETURN if quantity < 0 and paid <= 0 else LineKind.ADJUSTMENT


def _tax(element: _Element, paid: Decimal, kind: str) -> tuple[Decimal, Decimal]:
    vat = child(element, "vat")
    if vat is None:
        return paid - signed(amount(element, "lineAmntEx"), kind), ZERO
    return signed(amount(vat, "vatAmnt"), text(vat, "vatAmntTp") or kind), decimal(vat, "vatPerc") or ZERO


def _discount(element: _Element, masters: Masters, sign: int) -> Discount:
    kind = text(element, "dscTp")
    name = masters.find("basic", "08", kind).get("basicDesc", "") or kind
    return Discount(type="discount", value=-sign * abs(amount(element, "dscAmnt")), description=name)


def _raise(element: _Element, masters: Masters) -> Line:
    kind = text(element, "raiseType")
    tip = masters.predefined("10", kind) == TIP
    name = masters.find("basic", "10", kind).get("basicDesc", "") or kind
    value = amount(element, "raiseAmnt")
    return Line(
        kind=LineKind.ADJUSTMENT,
        sku="tip" if tip else "raise",
        quantity=Decimal(1),
        paid=value,
        article_name=name,
    )


def _reduced(line: Line, by: Decimal, discounts: tuple[Discount, ...], currency: str) -> Line:
    """The line with money taken off, and its tax with it: a part of the price that stays the same part."""
    paid = line.paid + by
    tax = round_money(line.tax_amount * paid / line.paid, currency) if line.paid else ZERO
    return attrs.evolve(
        line, kind=_kind(line.quantity, paid), paid=paid, tax_amount=tax, discounts=(*line.discounts, *discounts)
    )


def _line(draft: Draft, *, apart: bool, currency: str) -> Line:
    by = draft.off() if apart else ZERO
    return (
        _reduced(draft.line, by, draft.discounts, currency)
        if by
        else attrs.evolve(draft.line, discounts=draft.discounts)
    )


def _spread(whole: Sequence[Discount], lines: list[Line], currency: str) -> list[Line]:
    """Discounts on the whole transaction, each over the goods that were bought, to the cent."""
    for discount in whole:
        carrying = [index for index, line in enumerate(lines) if line.kind is LineKind.PURCHASE and line.paid > 0]
        if not carrying:
            raise InvalidValue(f"no line can take the discount of {discount.value}", place="cashtransaction")
        shares = spread(discount.value, [lines[index].paid for index in carrying], currency)
        for index, share in zip(carrying, shares, strict=True):
            if share:
                lines[index] = _reduced(lines[index], share, (attrs.evolve(discount, value=share),), currency)
    return lines

"""From drafts to lines that sum to the total: which discounts are off already, and the rounding to whole crowns."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import mismatch, spread
from tillpost.kit.xml import attribute, child, children, decimal, text
from tillpost.model import Discount, Line, LineKind, Tax
from tillpost_digital_receipt.items import Draft, counts, kind_of
from tillpost_digital_receipt.taxes import TAX_OFF, TaxEntry, line_taxes, percents, summed

ZERO = Decimal(0)


@attrs.frozen
class Settled:
    """Lines with tax in `paid`, the taxes of the receipt, the total with the sign of the lines, and flags."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    total: Decimal
    flags: tuple[str, ...]


def settle(
    drafts: list[Draft], entries: Sequence[TaxEntry], retail: _Element, stated: Decimal, currency: str
) -> Settled:
    """Find the reading of the amounts that adds up to the stated total.

    The standard says that amounts of lines have their discounts off; tills differ, for those of a line and for Discount
    line items. The first reading that adds up is taken, in the order: both off already, Discount line items not off,
    those of lines not off, neither off. A rounding has no sign in the format: it is tried left out, taken off and
    added. Raises InvalidValue, by how much the usual reading is off, when none adds up.
    """
    _tie(retail, drafts, currency)
    rounded = _rounding(retail)
    roundings = tuple(dict.fromkeys((ZERO, -rounded, rounded)))
    for by_line, by_item in product((False, True), repeat=2):
        paid = [_paid(draft, by_line=by_line, by_item=by_item) for draft in drafts]
        for rounding in roundings:
            total = sum(paid, ZERO) + rounding
            if abs(total) == abs(stated):
                return _settled(drafts, paid, entries, rounding, total, currency)
    usual = [sum((draft.amount for draft in drafts), ZERO) + rounding for rounding in roundings]
    nearest = min(usual, key=lambda total: abs(abs(total) - abs(stated)))
    stated = -abs(stated) if nearest < 0 else abs(stated)
    raise mismatch("lines sum to", nearest, "the receipt's total is", stated, currency, place="RetailTransaction")


def _rounding(retail: _Element) -> Decimal:
    """What was rounded off or up, without a sign: of the receipt (Rounding) or of a tender."""
    found = ZERO
    for entry in children(retail, "LineItem"):
        if counts(entry):
            found += abs(decimal(entry, "Rounding") or ZERO)
            for tender in children(entry, "Tender"):
                found += abs(decimal(tender, "Rounding") or ZERO)
    return found


def _tie(retail: _Element, drafts: list[Draft], currency: str) -> None:
    """Tie every Discount line item to the line it names, or spread it over the goods that were bought."""
    by_sequence = {draft.sequence: draft for draft in drafts if draft.sequence}
    for entry in children(retail, "LineItem"):
        rewards = [found for reward in children(entry, "LoyaltyReward") for found in children(reward, "Discount")]
        for element in (*children(entry, "Discount"), *rewards) if counts(entry) else ():
            value = decimal(element, "Amount")
            if not value:
                continue
            held = child(element, "Amount")
            sign = 1 if held is not None and attribute(held, "Action") == "Add" else -1
            label = text(element, "PromotionID") or text(element, "ReasonCode") or text(element, "Description")
            discount = Discount(type="discount", value=sign * abs(value), description=label)
            named = by_sequence.get(text(element, "ItemLink") or text(entry, "ItemLink"))
            _give(discount, [named] if named is not None else drafts, currency)


def _give(discount: Discount, drafts: Sequence[Draft], currency: str) -> None:
    carrying = [draft for draft in drafts if draft.kind is LineKind.PURCHASE and draft.amount > 0]
    if not carrying:
        raise InvalidValue(f"no line can take the discount of {discount.value}", place="RetailTransaction")
    shares = spread(discount.value, [draft.amount for draft in carrying], currency)
    for draft, share in zip(carrying, shares, strict=True):
        if share:
            draft.apart.append(attrs.evolve(discount, value=share))


def _paid(draft: Draft, *, by_line: bool, by_item: bool) -> Decimal:
    off = (*(draft.discounts if by_line else ()), *(draft.apart if by_item else ()))
    return draft.amount + sum((discount.value for discount in off), ZERO)


def _settled(
    drafts: Sequence[Draft],
    paid: Sequence[Decimal],
    entries: Sequence[TaxEntry],
    rounding: Decimal,
    total: Decimal,
    currency: str,
) -> Settled:
    rates = percents(drafts, entries)
    taxes = line_taxes(drafts, paid, rates, entries, currency)
    lines = [
        Line(
            kind=draft.kind if draft.kind is LineKind.ADJUSTMENT else kind_of(draft.quantity, value),
            sku=draft.sku,
            quantity=draft.quantity,
            paid=value,
            tax_amount=tax,
            tax_percent=rate,
            article_number=draft.sku,
            article_name=draft.name,
            article_group=draft.group,
            discounts=(*draft.discounts, *draft.apart),
            extra={"originalReceipt": draft.origin} if draft.origin else {},
        )
        for draft, value, tax, rate in zip(drafts, paid, taxes, rates, strict=True)
    ]
    if rounding:
        lines.append(
            Line(
                kind=LineKind.ADJUSTMENT,
                sku="rounding",
                quantity=Decimal(1),
                paid=rounding,
                article_name="Rounding",
            )
        )
    of_receipt = summed(paid, rates, taxes, entries)
    agree = sum((tax.amount for tax in of_receipt), ZERO) == sum(taxes, ZERO)
    return Settled(tuple(lines), of_receipt, total, () if agree else (TAX_OFF,))

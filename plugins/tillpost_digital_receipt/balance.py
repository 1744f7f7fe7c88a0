"""Lines that add up to the total: which discounts are taken off already, and the rounding to whole crowns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import product

import attrs
from lxml.etree import _Element

from tillpost.kit import TAX_OFF, ZERO, Reading, adjustment, first_reading, line_kind, mismatch, spread_discount
from tillpost.kit.xml import attribute, child, children, decimal, text
from tillpost.model import Discount, Line, LineKind, Tax
from tillpost_digital_receipt.deposits import variants
from tillpost_digital_receipt.line_items import DraftLine, is_voided, linked_voids
from tillpost_digital_receipt.rounding import is_rounding
from tillpost_digital_receipt.taxes import TaxEntry, line_percents, line_taxes, receipt_taxes

VOID_BY_LINK = "void-by-link"
"""The flag of a receipt in which a voided line item took out the one it points at, which is not voided itself."""


@attrs.frozen
class Balanced:
    """Lines with tax in `paid`, the taxes of the receipt, the total with the sign of the lines, and flags."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    total: Decimal
    flags: tuple[str, ...]


def balance(
    retail: _Element,
    drafts: list[DraftLine],
    entries: Sequence[TaxEntry],
    stated: Decimal,
    currency: str,
) -> Balanced:
    """Lines and taxes by the first reading of the amounts that adds up to the stated total.

    drafts: the lines as the till wrote them. By the standard their amounts have discounts taken off; tills differ, for
    discounts of a line and for Discount line items. The readings are tried in this order: both taken off; Discount line
    items not; those of lines not; neither. Then the same with deposits counted in their lines, and on top of them, and
    without the lines that voided ones point at. A rounding has no sign in the format: it is omitted, subtracted and
    added. Raises InvalidValue, with the difference of each of these ways, when none adds up.
    """

    def ways() -> Iterator[tuple[str, str, list[DraftLine]]]:
        yield from variants(retail, drafts, currency)
        taken = linked_voids(retail)
        kept = [draft for draft in drafts if draft.sequence not in taken]
        if len(kept) < len(drafts):
            yield "without the lines that voided ones point at", VOID_BY_LINK, kept

    balanced, flags = first_reading(
        Reading(said, partial(_discounted, retail, lines, entries, stated, currency), flag)
        for said, flag, lines in ways()
    )
    return attrs.evolve(balanced, flags=(*balanced.flags, *flags))


def _discounted(
    retail: _Element,
    drafts: list[DraftLine],
    entries: Sequence[TaxEntry],
    stated: Decimal,
    currency: str,
) -> Balanced:
    for draft in drafts:
        draft.receipt_discounts.clear()  # of a reading before
    _assign_discounts(retail, drafts, currency)
    rounded = _rounding(retail)
    roundings = tuple(dict.fromkeys((ZERO, -rounded, rounded)))
    for of_lines, of_receipt in product((False, True), repeat=2):
        paid = [_paid(draft, of_lines=of_lines, of_receipt=of_receipt) for draft in drafts]
        for rounding in roundings:
            total = sum(paid, ZERO) + rounding
            if abs(total) == abs(stated):
                return _balanced(drafts, paid, entries, rounding, total, currency)
    totals = [sum((draft.amount for draft in drafts), ZERO) + rounding for rounding in roundings]
    nearest = min(totals, key=lambda total: abs(abs(total) - abs(stated)))
    stated = -abs(stated) if nearest < 0 else abs(stated)
    raise mismatch("lines sum to", nearest, "the receipt's total is", stated, currency, place="RetailTransaction")


def _rounding(retail: _Element) -> Decimal:
    """The amount of the rounding, without a sign: of the receipt (Rounding) and of its tenders."""
    found = ZERO
    for entry in children(retail, "LineItem"):
        if not is_voided(entry):
            found += abs(decimal(entry, "Rounding") or ZERO)
            for tender in children(entry, "Tender"):
                of_tender = decimal(tender, "Amount") if is_rounding(tender) else decimal(tender, "Rounding")
                found += abs(of_tender or ZERO)
    return found


def _assign_discounts(retail: _Element, drafts: list[DraftLine], currency: str) -> None:
    """Give every Discount line item to the line it names, else spread it over the articles that were bought."""
    by_sequence = {draft.sequence: draft for draft in drafts if draft.sequence}
    for entry in children(retail, "LineItem"):
        rewards = [found for reward in children(entry, "LoyaltyReward") for found in children(reward, "Discount")]
        for element in () if is_voided(entry) else (*children(entry, "Discount"), *rewards):
            value = decimal(element, "Amount")
            if not value:
                continue
            amount = child(element, "Amount")
            sign = 1 if amount is not None and attribute(amount, "Action") == "Add" else -1
            label = text(element, "PromotionID") or text(element, "ReasonCode") or text(element, "Description")
            discount = Discount(type="discount", value=sign * abs(value), description=label)
            named = by_sequence.get(text(element, "ItemLink") or text(entry, "ItemLink"))
            _spread(discount, [named] if named is not None else drafts, currency)


def _spread(discount: Discount, drafts: Sequence[DraftLine], currency: str) -> None:
    carrying = [draft for draft in drafts if draft.kind is LineKind.PURCHASE and draft.amount > 0]
    amounts = [draft.amount for draft in carrying]
    for draft, share in zip(carrying, spread_discount(discount, amounts, currency, "RetailTransaction"), strict=True):
        if share.value:
            draft.receipt_discounts.append(share)


def _paid(draft: DraftLine, *, of_lines: bool, of_receipt: bool) -> Decimal:
    """The amount with discounts taken off where asked."""
    discounts = (*(draft.discounts if of_lines else ()), *(draft.receipt_discounts if of_receipt else ()))
    return draft.amount + sum((discount.value for discount in discounts), ZERO)


def _balanced(
    drafts: Sequence[DraftLine],
    paid: Sequence[Decimal],
    entries: Sequence[TaxEntry],
    rounding: Decimal,
    total: Decimal,
    currency: str,
) -> Balanced:
    rates = line_percents(drafts, entries)
    taxes = line_taxes(drafts, paid, rates, entries, currency)
    lines = [
        Line(
            kind=draft.kind if draft.kind is LineKind.ADJUSTMENT else line_kind(draft.quantity, value),
            sku=draft.sku,
            quantity=draft.quantity,
            paid=value,
            tax_amount=tax,
            tax_percent=rate,
            article_number=draft.sku,
            article_name=draft.name,
            article_group=draft.group,
            discounts=(*draft.discounts, *draft.receipt_discounts),
            extra={"originalReceipt": draft.original} if draft.original else {},
        )
        for draft, value, tax, rate in zip(drafts, paid, taxes, rates, strict=True)
    ]
    if rounding:
        lines.append(adjustment("rounding", rounding, "Rounding"))
    of_receipt = receipt_taxes(paid, rates, taxes, entries)
    agree = sum((tax.amount for tax in of_receipt), ZERO) == sum(taxes, ZERO)
    return Balanced(tuple(lines), of_receipt, total, () if agree else (TAX_OFF,))

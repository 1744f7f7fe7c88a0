"""Lines that add up to the total: whether tax is on top, on which lines, and which discounts are taken off."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product

import attrs

from tillpost.kit import ZERO, line_kind, mismatch, round_money, spread, tax
from tillpost.model import Line, LineKind, Tax
from tillpost_poslog.line_items import DraftLine, TaxEntry
from tillpost_poslog.settings import Settings


@attrs.frozen
class Balanced:
    """Lines with tax in `paid`, the taxes of the receipt, and the total with the sign of the lines."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    total: Decimal


def balance(
    drafts: Sequence[DraftLine],
    entries: Sequence[TaxEntry],
    stated: Decimal,
    stated_tax: Decimal | None,
    currency: str,
    settings: Settings,
) -> Balanced:
    """Lines and taxes by the first reading of the amounts that adds up to the stated total.

    POSLog leaves open whether amounts of lines have the tax in them and price modifiers taken off, and whether a
    discount on the transaction only sums those modifiers; vendors differ. The readings are tried in this order:
    modifiers taken off, tax on top; taken off, included; not taken off, on top; not taken off, included; each first
    with the discounts on the transaction, then without (without first where their sum is that of the modifiers).
    Raises InvalidValue, with the difference of the first reading, when none adds up.
    """
    on_lines = sum((entry.amount for draft in drafts for entry in draft.taxes), ZERO)
    by_line = bool(on_lines) and (not entries or stated_tax is None or abs(on_lines) == abs(stated_tax))
    whole_tax = on_lines if by_line else sum((entry.amount for entry in entries), ZERO)
    placements = ("on top", "included") if settings.tax == "auto" else (settings.tax,)
    first: Decimal | None = None
    for discounts, modifiers, placement in product(_discount_readings(drafts), (False, True), placements):
        nets = [draft.net(price_modifiers=modifiers, receipt_discounts=discounts) for draft in drafts]
        total = sum(nets, ZERO) + (whole_tax if placement == "on top" else ZERO)
        if abs(total) == abs(stated):
            shares = (
                [sum((entry.amount for entry in draft.taxes), ZERO) for draft in drafts]
                if by_line
                else _tax_shares(drafts, nets, entries, currency)
            )
            bases = nets if placement == "on top" else [net - share for net, share in zip(nets, shares, strict=True)]
            lines = _lines(drafts, bases, shares, entries, receipt_discounts=discounts)
            return Balanced(lines, _taxes(drafts, bases, entries, by_line), total)
        first = total if first is None else first
    assert first is not None
    raise mismatch("lines and taxes sum to", first, "the receipt's total is", stated, currency, place="receipt")


def _discount_readings(drafts: Sequence[DraftLine]) -> tuple[bool, ...]:
    """Whether to take off discounts on the transaction beside the modifiers of its lines, the likelier first."""
    discounts = [discount.value for draft in drafts for discount in draft.receipt_discounts]
    modifiers = [discount.value for draft in drafts for discount in draft.modifiers]
    if not discounts or not modifiers:
        return (True,)
    return (False, True) if sum(discounts) == sum(modifiers) else (True, False)


def _taxed(drafts: Sequence[DraftLine], nets: Sequence[Decimal], entry: TaxEntry) -> list[int]:
    """The indexes of lines with a tax of the transaction: those with its number, else all articles, else all."""
    priced = [index for index, net in enumerate(nets) if net]
    numbered = [index for index in priced if entry.number and entry.number in drafts[index].tax_numbers]
    articles = [index for index in priced if _kind(drafts[index], nets[index]) is not LineKind.ADJUSTMENT]
    return numbered or articles or priced


def _tax_shares(
    drafts: Sequence[DraftLine], nets: Sequence[Decimal], entries: Sequence[TaxEntry], currency: str
) -> list[Decimal]:
    """The taxes of the transaction spread over their lines to the minor unit; a returned line has negative tax."""
    shares = [ZERO] * len(drafts)
    for entry in entries:
        if not entry.amount:
            continue
        taxed = _taxed(drafts, nets, entry)
        base = sum((nets[index] for index in taxed), ZERO)
        bought, returned = [index for index in taxed if nets[index] > 0], [index for index in taxed if nets[index] < 0]
        if not bought or not returned or base * entry.amount <= 0:
            _spread(shares, entry.amount, (bought if entry.amount > 0 else returned) or taxed, nets, currency)
            continue
        on_bought = round_money(entry.amount * sum((nets[index] for index in bought), ZERO) / base, currency)
        _spread(shares, on_bought, bought, nets, currency)
        _spread(shares, entry.amount - on_bought, returned, nets, currency)
    return shares


def _spread(
    shares: list[Decimal], value: Decimal, taxed: Sequence[int], nets: Sequence[Decimal], currency: str
) -> None:
    for index, share in zip(taxed, spread(value, [nets[index] for index in taxed], currency), strict=True):
        shares[index] += share


def _kind(draft: DraftLine, paid: Decimal) -> LineKind:
    return line_kind(draft.quantity, paid) if draft.is_article else LineKind.ADJUSTMENT


def _percent(amount: Decimal, base: Decimal) -> Decimal:
    return (amount / base * 100).quantize(Decimal("0.01")) if base else ZERO


def _line_percent(draft: DraftLine, share: Decimal, base: Decimal, entries: Sequence[TaxEntry]) -> Decimal:
    """The till's percentage where the line has one tax, else the share's percentage of the base."""
    if not share:
        return ZERO
    of_line = draft.taxes or [entry for entry in entries if entry.number in draft.tax_numbers] or list(entries)
    known = of_line[0].percent if len(of_line) == 1 else None
    return _percent(share, base) if known is None else known


def _lines(
    drafts: Sequence[DraftLine],
    bases: Sequence[Decimal],
    shares: Sequence[Decimal],
    entries: Sequence[TaxEntry],
    *,
    receipt_discounts: bool,
) -> tuple[Line, ...]:
    return tuple(
        Line(
            kind=_kind(draft, base + share),
            sku=draft.sku,
            quantity=draft.quantity,
            paid=base + share,
            tax_amount=share,
            tax_percent=_line_percent(draft, share, base, entries),
            article_number=draft.article_number,
            article_name=draft.name,
            article_group=draft.group,
            discounts=(*draft.modifiers, *draft.rewards, *(draft.receipt_discounts if receipt_discounts else ())),
            extra={"originalReceipt": draft.original} if draft.original else {},
        )
        for draft, base, share in zip(drafts, bases, shares, strict=True)
    )


def _taxes(
    drafts: Sequence[DraftLine], bases: Sequence[Decimal], entries: Sequence[TaxEntry], by_line: bool
) -> tuple[Tax, ...]:
    """One Tax a name and percentage; its base is the till's, else the sum of its lines."""
    summed: dict[tuple[str, Decimal | None], tuple[Decimal, Decimal]] = {}
    if by_line:
        found = [(entry, base) for draft, base in zip(drafts, bases, strict=True) for entry in draft.taxes]
    else:
        found = [(entry, sum((bases[index] for index in _taxed(drafts, bases, entry)), ZERO)) for entry in entries]
    for entry, base in found:
        amount, before = summed.get((entry.name, entry.percent), (ZERO, ZERO))
        base = base if entry.taxable is None else entry.taxable
        summed[entry.name, entry.percent] = (amount + entry.amount, before + base)
    return tuple(
        tax(name, _percent(amount, base) if percent is None else percent, amount, base)
        for (name, percent), (amount, base) in summed.items()
    )

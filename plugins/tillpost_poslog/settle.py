"""From drafts to lines that sum to the total: whether tax is on top, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product

import attrs

from tillpost.kit import mismatch, round_money, spread
from tillpost.model import Line, LineKind, Tax
from tillpost_poslog.drafts import Draft, TaxEntry
from tillpost_poslog.settings import Settings

ZERO = Decimal(0)


@attrs.frozen
class Settled:
    """Lines with tax in `paid`, the taxes of the receipt, and the total with the sign of the lines."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    total: Decimal


def settle(
    drafts: Sequence[Draft],
    entries: Sequence[TaxEntry],
    stated: Decimal,
    stated_tax: Decimal | None,
    currency: str,
    settings: Settings,
) -> Settled:
    """Find the reading of the amounts that adds up to the stated total.

    POSLog leaves open whether amounts of lines have the tax in them and price modifiers off already, and whether a
    discount on the transaction only sums those modifiers; vendors differ. The first reading that adds up to the stated
    total is taken, in the order: modifiers off already, tax on top; off already, included; not off, on top; not off,
    included; each with the discounts on the transaction counted, then without (without first where they come to what
    the modifiers come to).
    Raises InvalidValue, by how much the most usual reading is off, when none adds up.
    """
    on_lines = sum((tax.amount for draft in drafts for tax in draft.taxes), ZERO)
    by_line = bool(on_lines) and (not entries or stated_tax is None or abs(on_lines) == abs(stated_tax))
    tax = on_lines if by_line else sum((entry.amount for entry in entries), ZERO)
    ways = ("on top", "included") if settings.tax == "auto" else (settings.tax,)
    usual: Decimal | None = None
    for counted, apart, way in product(_counted(drafts), (False, True), ways):
        nets = [draft.net(modifiers_apart=apart, shares_count=counted) for draft in drafts]
        total = sum(nets, ZERO) + (tax if way == "on top" else ZERO)
        if abs(total) == abs(stated):
            shares = (
                [sum((entry.amount for entry in draft.taxes), ZERO) for draft in drafts]
                if by_line
                else _shares(drafts, nets, entries, currency)
            )
            bases = nets if way == "on top" else [net - share for net, share in zip(nets, shares, strict=True)]
            lines = _lines(drafts, bases, shares, entries, counted=counted)
            return Settled(lines, _taxes(drafts, bases, entries, by_line), total)
        usual = total if usual is None else usual
    assert usual is not None
    raise mismatch("lines and taxes sum to", usual, "the receipt's total is", stated, currency, place="receipt")


def _counted(drafts: Sequence[Draft]) -> tuple[bool, ...]:
    """Whether discounts on the transaction count beside the modifiers of its lines, the likelier first."""
    shares = [discount.value for draft in drafts for discount in draft.shares]
    modifiers = [discount.value for draft in drafts for discount in draft.modifiers]
    if not shares or not modifiers:
        return (True,)
    return (False, True) if sum(shares) == sum(modifiers) else (True, False)


def _taxed(drafts: Sequence[Draft], nets: Sequence[Decimal], entry: TaxEntry) -> list[int]:
    """The lines a tax of the transaction is on: those marked with its number, else all goods."""
    there = [index for index, net in enumerate(nets) if net]
    marked = [index for index in there if entry.number and entry.number in drafts[index].taxed_by]
    goods = [index for index in there if _kind(drafts[index], nets[index]) is not LineKind.ADJUSTMENT]
    return marked or goods or there


def _shares(
    drafts: Sequence[Draft], nets: Sequence[Decimal], entries: Sequence[TaxEntry], currency: str
) -> list[Decimal]:
    """The taxes of the transaction spread over their lines to the cent; a returned line gets tax back."""
    shares = [ZERO] * len(drafts)
    for entry in entries:
        if not entry.amount:
            continue
        on = _taxed(drafts, nets, entry)
        base = sum((nets[index] for index in on), ZERO)
        sides = [[index for index in on if nets[index] > 0], [index for index in on if nets[index] < 0]]
        if not all(sides) or base * entry.amount <= 0:
            _spread(shares, entry.amount, sides[0 if entry.amount > 0 else 1] or on, nets, currency)
            continue
        bought = round_money(entry.amount * sum((nets[index] for index in sides[0]), ZERO) / base, currency)
        _spread(shares, bought, sides[0], nets, currency)
        _spread(shares, entry.amount - bought, sides[1], nets, currency)
    return shares


def _spread(shares: list[Decimal], value: Decimal, on: Sequence[int], nets: Sequence[Decimal], currency: str) -> None:
    for index, share in zip(on, spread(value, [nets[index] for index in on], currency), strict=True):
        shares[index] += share


def _kind(draft: Draft, paid: Decimal) -> LineKind:
    if not draft.article:
        return LineKind.ADJUSTMENT
    if draft.quantity >= 0 and paid >= 0:
        return LineKind.PURCHASE
    # A positive quantity with money back is a deposit handed back or a coupon, no returned article.
    return LineKind.RETURN if draft.quantity < 0 and paid <= 0 else LineKind.ADJUSTMENT


def _percent(amount: Decimal, base: Decimal) -> Decimal:
    return (amount / base * 100).quantize(Decimal("0.01")) if base else ZERO


def _line_percent(draft: Draft, share: Decimal, base: Decimal, entries: Sequence[TaxEntry]) -> Decimal:
    """The till's percentage where one tax is on the line, else what the amounts say."""
    if not share:
        return ZERO
    of_line = draft.taxes or [entry for entry in entries if entry.number in draft.taxed_by] or list(entries)
    known = of_line[0].percent if len(of_line) == 1 else None
    return _percent(share, base) if known is None else known


def _lines(
    drafts: Sequence[Draft],
    bases: Sequence[Decimal],
    shares: Sequence[Decimal],
    entries: Sequence[TaxEntry],
    *,
    counted: bool,
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
            discounts=(*draft.modifiers, *draft.rewards, *(draft.shares if counted else ())),
            extra={"originalReceipt": draft.origin} if draft.origin else {},
        )
        for draft, base, share in zip(drafts, bases, shares, strict=True)
    )


def _taxes(
    drafts: Sequence[Draft], bases: Sequence[Decimal], entries: Sequence[TaxEntry], by_line: bool
) -> tuple[Tax, ...]:
    """One Tax a name and percentage; the base is the till's, else that of its lines."""
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
        Tax(
            description=name,
            percent=_percent(amount, base) if percent is None else percent,
            amount=amount,
            including_tax=base + amount,
            excluding_tax=base,
        )
        for (name, percent), (amount, base) in summed.items()
    )

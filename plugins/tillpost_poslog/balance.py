"""Lines that add up to the total: whether tax is on top, on which lines, and which discounts are taken off."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product

import attrs

from tillpost.kit import TAX_OFF, ZERO, line_kind, mismatch, round_money, spread, tax
from tillpost.model import Line, LineKind, Tax
from tillpost_poslog.line_items import DraftLine
from tillpost_poslog.settings import Settings
from tillpost_poslog.taxes import TaxEntry, tax_base


@attrs.frozen
class Balanced:
    """Lines with tax in `paid`, the taxes of the receipt, the total with the sign of the lines, and flags."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    total: Decimal
    flags: tuple[str, ...]


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
    on_lines = sum((entry.value for draft in drafts for entry in draft.taxes), ZERO)
    by_line = bool(on_lines) and (not entries or stated_tax is None or abs(on_lines) == abs(stated_tax))
    of_whole = sum((entry.value for entry in entries), ZERO)
    is_open = any(entry.amount is None for draft in drafts for entry in draft.taxes)
    by_line = by_line or (is_open and not entries)
    is_open = (is_open and by_line) or any(entry.amount is None for entry in entries)
    placements = ("on top", "included") if settings.tax == "auto" else (settings.tax,)
    first: Decimal | None = None
    for discounts, modifiers, placement in product(_discount_readings(drafts), (False, True), placements):
        nets = [draft.net(price_modifiers=modifiers, receipt_discounts=discounts) for draft in drafts]
        taxes, whole = [draft.taxes for draft in drafts], entries
        if is_open:
            taxes = [
                [entry.reckoned(net, placement, currency) for entry in draft.taxes]
                for draft, net in zip(drafts, nets, strict=True)
            ]
            whole = [
                entry.reckoned(sum((nets[index] for index in _taxed(drafts, nets, entry)), ZERO), placement, currency)
                for entry in entries
            ]
            on_lines = sum((entry.value for of_line in taxes for entry in of_line), ZERO)
            of_whole = sum((entry.value for entry in whole), ZERO)
        whole_tax = on_lines if by_line else of_whole
        total = sum(nets, ZERO) + (whole_tax if placement == "on top" else ZERO)
        if abs(total) == abs(stated):
            shares = (
                [sum((entry.value for entry in of_line), ZERO) for of_line in taxes]
                if by_line
                else _tax_shares(drafts, nets, whole, currency)
            )
            bases = nets if placement == "on top" else [net - share for net, share in zip(nets, shares, strict=True)]
            lines = _lines(drafts, bases, shares, taxes, whole, receipt_discounts=discounts)
            summed, flags = _taxes(drafts, bases, taxes, whole, by_line, currency)
            if any(amount and abs(amount) != abs(whole_tax) for amount in (stated_tax, on_lines, of_whole)):
                flags = (*flags, TAX_OFF)
            return Balanced(lines, summed, total, tuple(dict.fromkeys(flags)))
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
    """The indexes of lines with a tax of the transaction: those with its number or rate, else all articles or all."""
    priced = [index for index, net in enumerate(nets) if net]
    numbered = [index for index in priced if entry.number and entry.number in drafts[index].tax_numbers]
    if not numbered and entry.percent is not None:
        numbered = [index for index in priced if any(_marks(rate, entry) for rate in drafts[index].taxes)]
    articles = [index for index in priced if _kind(drafts[index], nets[index]) is not LineKind.ADJUSTMENT]
    return numbered or articles or priced


def _marks(of_line: TaxEntry, entry: TaxEntry) -> bool:
    """Whether a line's tax without an amount says that the tax of the transaction is on it."""
    return of_line.amount is None and of_line.percent == entry.percent


def _tax_shares(
    drafts: Sequence[DraftLine], nets: Sequence[Decimal], entries: Sequence[TaxEntry], currency: str
) -> list[Decimal]:
    """The taxes of the transaction spread over their lines to the minor unit; a returned line has negative tax."""
    shares = [ZERO] * len(drafts)
    for entry in entries:
        if not entry.value:
            continue
        taxed = _taxed(drafts, nets, entry)
        base = sum((nets[index] for index in taxed), ZERO)
        bought, returned = [index for index in taxed if nets[index] > 0], [index for index in taxed if nets[index] < 0]
        if not bought or not returned or base * entry.value <= 0:
            _spread(shares, entry.value, (bought if entry.value > 0 else returned) or taxed, nets, currency)
            continue
        on_bought = round_money(entry.value * sum((nets[index] for index in bought), ZERO) / base, currency)
        _spread(shares, on_bought, bought, nets, currency)
        _spread(shares, entry.value - on_bought, returned, nets, currency)
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


def _line_percent(
    draft: DraftLine, taxes: Sequence[TaxEntry], share: Decimal, base: Decimal, entries: Sequence[TaxEntry]
) -> Decimal:
    """The till's percentage where the line has one tax, else the share's percentage of the base."""
    if not share:
        return ZERO
    of_line = taxes or [entry for entry in entries if entry.number in draft.tax_numbers] or list(entries)
    known = of_line[0].percent if len(of_line) == 1 else None
    return _percent(share, base) if known is None else known


def _lines(
    drafts: Sequence[DraftLine],
    bases: Sequence[Decimal],
    shares: Sequence[Decimal],
    taxes: Sequence[Sequence[TaxEntry]],
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
            tax_percent=_line_percent(draft, of_line, share, base, entries),
            article_number=draft.article_number,
            article_name=draft.name,
            article_group=draft.group,
            discounts=(*draft.modifiers, *draft.rewards, *(draft.receipt_discounts if receipt_discounts else ())),
            extra={"originalReceipt": draft.original} if draft.original else {},
        )
        for draft, base, share, of_line in zip(drafts, bases, shares, taxes, strict=True)
    )


def _taxes(
    drafts: Sequence[DraftLine],
    bases: Sequence[Decimal],
    taxes: Sequence[Sequence[TaxEntry]],
    entries: Sequence[TaxEntry],
    by_line: bool,
    currency: str,
) -> tuple[tuple[Tax, ...], tuple[str, ...]]:
    """One Tax a name and percentage, and flags; its base is the till's where that gives the amount, else its lines'."""
    summed: dict[tuple[str, Decimal | None], tuple[Decimal, Decimal]] = {}
    flags: list[str] = []
    if by_line:
        found = [(entry, base, 1) for of_line, base in zip(taxes, bases, strict=True) for entry in of_line]
    else:
        taxed = [(entry, _taxed(drafts, bases, entry)) for entry in entries]
        found = [(entry, sum((bases[index] for index in lines), ZERO), len(lines)) for entry, lines in taxed]
    for entry, of_lines, lines in found:
        base, flag = tax_base(entry, of_lines, currency, lines)
        if flag:
            flags.append(flag)
        amount, before = summed.get((entry.name, entry.percent), (ZERO, ZERO))
        summed[entry.name, entry.percent] = (amount + entry.value, before + base)
    return tuple(
        tax(name, _percent(amount, base) if percent is None else percent, amount, base)
        for (name, percent), (amount, base) in summed.items()
    ), tuple(flags)

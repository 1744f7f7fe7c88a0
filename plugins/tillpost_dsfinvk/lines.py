"""Positions as lines and as what pays for them: articles, deposits, tips, discounts, vouchers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

from tillpost.kit import ROUNDING, ZERO, is_rounding, minor_digits, round_money, spread
from tillpost.model import Discount, Line, LineKind, Tender
from tillpost_dsfinvk.codes import ARTICLE, DISCOUNT, GIFT, LABELS, MONEY, PAID_BY_LINE, REDEEMED
from tillpost_dsfinvk.positions import Part, Position, Positions

SIGN_BY_AMOUNT = "sign-by-amount"
VOUCHER_AS_LINE = "voucher-as-line"
UNKNOWN_BUSINESS = "unknown-business-case"
LINES_ROUNDED = "lines-rounded"


@attrs.define
class Goods:
    """What a receipt has: its lines, what paid as a position (vouchers, a down payment), and its flags."""

    lines: list[Line]
    tenders: list[Tender]
    flags: list[str]

    @property
    def total(self) -> Decimal:
        """The sum of the lines."""
        return sum((line.paid for line in self.lines), ZERO)


def read_goods(
    positions: tuple[Position, ...], source: Positions, originals: Mapping[str, str], sku: str, flags: list[str]
) -> Goods:
    """The lines of these positions. originals: POS_ZEILE → the receipt it was bought on; "" for every line."""
    sold = [each for each in positions if each.part not in (DISCOUNT, REDEEMED)]
    paying, kept = _paying([each for each in positions if each.part == REDEEMED], sold, flags)
    spread_over, alone = _discounted([*sold, *kept], [each for each in positions if each.part == DISCOUNT], source)
    goods = Goods([], [], flags)
    whole = sum((each.gross for each in positions), ZERO) - sum((each.gross for each in paying), ZERO)
    rounded = _rounded(
        [each.gross for each in (*spread_over, *alone)], round_money(whole, source.currency), source, flags
    )
    for position, paid in zip((*spread_over, *alone), rounded, strict=True):
        goods.lines.append(_line(position, paid, source, originals, sku, flags))
    for position in paying:
        name = position.row.text("ARTIKELTEXT") or position.row.text("GV_TYP")
        voucher = position.row.text("GUTSCHEIN_NR")
        goods.tenders.append(
            Tender(
                type=PAID_BY_LINE[position.business],
                amount=-round_money(position.gross, source.currency),
                description=name,
                extra={"voucher": voucher} if voucher else {},
            )
        )
    return goods


def _paying(redeemed: list[Position], sold: list[Position], flags: list[str]) -> tuple[list[Position], list[Position]]:
    """Which redeemed positions pay for the goods, by the opposite sign; the others are lines."""
    goods = sum((each.gross for each in sold), ZERO)
    paying = [each for each in redeemed if each.gross * goods < 0]
    kept = [each for each in redeemed if each.gross * goods >= 0]
    if kept:
        flags.append(VOUCHER_AS_LINE)
    return paying, kept


def _discounted(
    sold: list[Position], discounts: list[Position], source: Positions
) -> tuple[list[Position], list[Position]]:
    """The positions with the discounts of the receipt spread over them; discounts that nothing can carry.

    A part of a discount is spread over the articles of its tax key, to the minor unit, and over all where none has it.
    """
    found = list(sold)
    alone = []
    for discount in discounts:
        able = [at for at, each in enumerate(found) if each.part in (ARTICLE, GIFT) and each.gross * discount.gross < 0]
        if not able or sum((abs(found[at].gross) for at in able), ZERO) < abs(discount.gross):
            alone.append(discount)
            continue
        for part in discount.parts:
            own = [at for at in able if any(each.key == part.key for each in found[at].parts)] or able
            weights = [_gross_of(found[at], part.key) or found[at].gross for at in own]
            gross, tax = (round_money(value, source.currency) for value in (part.gross, part.tax))
            shares = zip(
                own, spread(gross, weights, source.currency), spread(tax, weights, source.currency), strict=True
            )
            for at, off, tax_off in shares:
                found[at] = _less(found[at], Part(part.key, off, tax_off), discount.row.text("ARTIKELTEXT"))
    return found, alone


def _gross_of(position: Position, key: str) -> Decimal:
    return sum((part.gross for part in position.parts if part.key == key), ZERO)


def _less(position: Position, off: Part, description: str) -> Position:
    """The position with a share of a discount taken off."""
    parts = list(position.parts)
    at = next((at for at, part in enumerate(parts) if part.key == off.key), 0)
    parts[at] = Part(parts[at].key, parts[at].gross + off.gross, parts[at].tax + off.tax)
    discount = Discount(type="discount", value=off.gross, description=description)
    discounts = (*position.discounts, discount) if off.gross else position.discounts
    return attrs.evolve(position, parts=tuple(parts), discounts=discounts)


def _rounded(amounts: list[Decimal], total: Decimal, source: Positions, flags: list[str]) -> list[Decimal]:
    """The amounts in whole minor units; what is left of the total goes to those that lost most by it."""
    rounded = [round_money(amount, source.currency) for amount in amounts]
    left = total - sum(rounded, ZERO)
    if not left:
        return rounded
    flags.append(LINES_ROUNDED)
    unit = Decimal(1).scaleb(-minor_digits(source.currency)).copy_sign(left)
    by_loss = sorted(range(len(amounts)), key=lambda at: (rounded[at] - amounts[at]) * (1 if left > 0 else -1))
    for step in range(abs(int(left / unit))):
        rounded[by_loss[step % len(by_loss)]] += unit
    return rounded


def _line(
    position: Position, paid: Decimal, source: Positions, originals: Mapping[str, str], sku: str, flags: list[str]
) -> Line:
    row, quantity = position.row, position.quantity
    other = "GTIN" if sku == "ART_NR" else "ART_NR"
    number = row.identifier(sku) or row.identifier(other)
    name = row.text("ARTIKELTEXT")
    label = LABELS.get(position.business, "")
    if not label and is_rounding(name) and not number:
        label = ROUNDING
    if position.business and position.business not in LABELS and position.part == MONEY:
        flags.append(UNKNOWN_BUSINESS)
    kind = LineKind.ADJUSTMENT
    if position.part in (ARTICLE, GIFT, REDEEMED) and not label:
        if paid * quantity < 0:  # what GV_TYP calls turnover is a return where money goes back
            quantity = -quantity
            flags.append(SIGN_BY_AMOUNT)
        if quantity:
            kind = LineKind.RETURN if quantity < 0 else LineKind.PURCHASE
    original = originals.get(row.text("POS_ZEILE")) or originals.get("", "")
    return Line(
        kind=kind,
        sku=number or label or name or row.text("WARENGR_ID") or row.text("GV_TYP") or "article",
        quantity=quantity,
        paid=paid,
        tax_amount=_tax(position, paid, source),
        tax_percent=_percent(position, source),
        article_number=number,
        article_name=name or label,
        article_group=row.text("WARENGR") or row.text("WARENGR_ID"),
        discounts=position.discounts,
        extra={"originalReceipt": original} if original and kind is LineKind.RETURN else {},
    )


def _tax(position: Position, paid: Decimal, source: Positions) -> Decimal:
    """The tax in the line, which rounding may not take beyond its price or across zero."""
    tax = round_money(position.tax, source.currency)
    return tax if paid and tax * paid > 0 and abs(tax) <= abs(paid) else ZERO


def _percent(position: Position, source: Positions) -> Decimal:
    """The rate of the line; of one taxed by several keys, the one that its tax amounts to."""
    keys = {part.key for part in position.parts if part.gross}
    if len(keys) == 1 and (percent := source.percent(next(iter(keys)))) is not None:
        return percent
    net = position.gross - position.tax
    return round(position.tax / net * 100, 2) if position.tax and net else ZERO

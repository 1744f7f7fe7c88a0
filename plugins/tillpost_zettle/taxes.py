"""The tax of a purchase by line and in sum: VAT in the price, or sales tax on top, of one rate or several."""

from __future__ import annotations

from decimal import Decimal

from tillpost.kit import ZERO, JsonObject, round_money, spread, tax, vat_of_lines
from tillpost.model import Line, Tax
from tillpost_zettle.lines import DraftLine, MinorUnits


def lines_and_taxes(
    purchase: JsonObject, drafts: list[DraftLine], money: MinorUnits, original: str, due: Decimal | None
) -> tuple[tuple[Line, ...], tuple[Tax, ...]]:
    """The lines with their tax, and the taxes of the receipt, which are the sum of its lines.

    original: the purchase in which returned products were bought; "" when this one is not a refund. due: the tax that
    is on top by the purchase's amount; None when it is in the price.
    """
    amounts = [_tax(draft, money, on_top=due is not None) for draft in drafts]
    if due is not None and due != sum(amounts, ZERO):
        amounts = _rounded_once(drafts, amounts, due, money)
    lines = tuple(
        Line(
            kind=draft.kind,
            sku=draft.sku,
            quantity=draft.quantity,
            paid=draft.net if due is None else draft.net + amount,
            tax_amount=amount,
            tax_percent=draft.percent,
            article_number=draft.number,
            article_name=draft.name,
            article_group=draft.group,
            discounts=tuple(draft.discounts),
            extra={"originalReceipt": original} if original and draft.net <= 0 else {},
        )
        for draft, amount in zip(drafts, amounts, strict=True)
    )
    return lines, _named(purchase, lines, money) or vat_of_lines(lines)


def _tax(draft: DraftLine, money: MinorUnits, *, on_top: bool) -> Decimal:
    if not on_top:
        percent = draft.percent
        return round_money(draft.net * percent / (100 + percent), money.currency) if percent else ZERO
    return sum((round_money(draft.net * percent / 100, money.currency) for percent in draft.percents), ZERO)


def _rounded_once(drafts: list[DraftLine], amounts: list[Decimal], due: Decimal, money: MinorUnits) -> list[Decimal]:
    """The taxes of the lines where the till rounded their sum and not each; unchanged where the sum is another."""
    taxed = [at for at, draft in enumerate(drafts) if draft.percents and draft.net]
    rates = sorted({percent for draft in drafts for percent in draft.percents})
    sums = [
        sum((draft.net * draft.percents.count(percent) for draft in drafts), ZERO) * percent / 100 for percent in rates
    ]
    whole, of_each = round_money(sum(sums, ZERO), money.currency), [round_money(each, money.currency) for each in sums]
    if due not in (whole, sum(of_each, ZERO)):
        return amounts
    shares = spread(due, [drafts[at].net * drafts[at].percent for at in taxed], money.currency)
    found = [ZERO] * len(drafts)
    for at, share in zip(taxed, shares, strict=True):
        found[at] = share
    return found


def _named(purchase: JsonObject, lines: tuple[Line, ...], money: MinorUnits) -> tuple[Tax, ...]:
    """The taxes as the purchase names them (`taxValues`: state, city); () where they are not those of the lines."""
    found = []
    for value in purchase.objects("taxValues"):
        amount, base = money.read(value, "taxAmount", ZERO), money.read(value, "taxableAmount", ZERO)
        found.append(tax(value.text("label", "") or "Tax", value.decimal("taxValue", ZERO), amount, base))
    if sum((each.amount for each in found), ZERO) != sum((line.tax_amount for line in lines), ZERO):
        return ()
    return tuple(found)

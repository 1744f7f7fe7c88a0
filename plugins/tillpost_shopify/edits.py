"""Goods of an order that moved after it was placed: edited out, brought back without money, taken in exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import attrs

from tillpost.kit import ZERO, JsonObject, round_money, spread
from tillpost.model import Discount
from tillpost_shopify.lines import DraftLine, TaxEntry, sum_paid
from tillpost_shopify.money import Money
from tillpost_shopify.returned import refund_adjustments, refund_lines, value_back
from tillpost_shopify.tenders import amount, successful

EDITED = "edited"
"""The flag of a receipt without the goods that were edited out of its order before they were paid."""
EXCHANGE = "exchange"
"""The flag of a receipt in which goods were brought back and others taken."""


def is_without_money(refund: JsonObject) -> bool:
    """Whether a refund tells of no money at all, be it paid back, pending or refused."""
    return not any(item.text("kind", "") in ("refund", "suggested_refund") for item in refund.objects("transactions"))


def has_goods(refund: JsonObject) -> bool:
    """Whether a refund tells of articles or amounts."""
    return bool(refund.objects("refund_line_items") or refund.objects("order_adjustments"))


def is_return(refund: JsonObject) -> bool:
    """Whether goods were brought back by the customer, and not only taken out of the order."""
    return refund.has("return") or any(
        entry.text("restock_type", "") == "return" for entry in refund.objects("refund_line_items")
    )


def moved_without_money(refunds: list[JsonObject]) -> list[JsonObject]:
    """Those that have goods and no money."""
    return [refund for refund in refunds if has_goods(refund) and is_without_money(refund)]


def refunded_money(refunds: list[JsonObject], money: Money) -> Decimal:
    """What was paid back, without the rounding of cash."""
    paid = ZERO
    for refund in refunds:
        for item in successful(refund.objects("transactions"), "refund"):
            paid += amount(item, money)
    return paid


def with_moves(
    drafts: list[DraftLine], refunds: Sequence[JsonObject], order: JsonObject, money: Money
) -> tuple[list[DraftLine], tuple[str, ...]]:
    """The lines after these refunds, and the flags that say what became of them.

    What was edited out is in no line any more; what was brought back is a line of its own, as on the till's paper.
    """
    lines, flags = list(drafts), []
    for refund in refunds:
        back = refund_lines(refund, money, order.text("id", ""))
        flags.append(EXCHANGE if is_return(refund) else EDITED)
        if not is_return(refund):
            for line in back:
                sold = next((draft for draft in lines if draft.item and draft.item == line.item), None)
                if sold is None:
                    lines.append(attrs.evolve(line, original=""))
                    continue
                left = _less(sold, -line.quantity, -line.net, -line.tax, money.currency)
                at = lines.index(sold)
                lines[at : at + 1] = [left] if left.quantity or left.net or left.tax else []
        else:
            lines += back
        lines += [attrs.evolve(line, original="") for line in refund_adjustments(refund, money, "")]
    return lines, tuple(dict.fromkeys(flags))


def as_current(order: JsonObject, drafts: list[DraftLine], money: Money) -> list[DraftLine] | None:
    """The lines with their `current_quantity`; None where that is each line's quantity, or is not told."""
    current = {
        item.text("id", ""): item.decimal("current_quantity", None)
        for item in order.objects("line_items")
        if item.has("current_quantity")
    }
    found = []
    for draft in drafts:
        quantity = current.get(draft.item, draft.quantity) if draft.item else draft.quantity
        gone = draft.quantity - quantity
        if not gone:
            found.append(draft)
        elif quantity:
            share = gone / draft.quantity
            net, tax = (round_money(each * share, money.currency) for each in (draft.net, draft.tax))
            found.append(_less(draft, gone, net, tax, money.currency))
    return found if found != drafts else None


def exchanged_for_money(
    order: JsonObject, drafts: Callable[[], list[DraftLine]], money: Money
) -> dict[str, list[DraftLine]]:
    """By the id of a refund, the lines that were added in exchange: its money is less than what it brings back.

    Shopify adds such lines at the end. Empty where the lines at the end do not come to the difference to the cent.
    drafts: returns the lines of the order; called where a refund has such a difference.
    """
    on_top = not order.boolean("taxes_included")
    less: list[tuple[str, Decimal]] = []
    for refund in order.objects("refunds"):
        transactions = successful(refund.objects("transactions"), "refund")
        if transactions and refund.has("refund_line_items"):
            paid = sum((amount(item, money) for item in transactions), ZERO)
            if (value := value_back(refund, money, on_top=on_top)) > paid:
                less.append((refund.text("id", ""), value - paid))
    if not less:
        return {}
    rest = [draft for draft in drafts() if draft.item]
    found: dict[str, list[DraftLine]] = {}
    for name, missing in reversed(less):
        taken: list[DraftLine] = []
        while rest and sum_paid(taken, on_top=on_top) < missing:
            taken.insert(0, rest.pop())
        if sum_paid(taken, on_top=on_top) != missing:
            return {}
        found[name] = taken
    return found


def _less(draft: DraftLine, quantity: Decimal, net: Decimal, tax: Decimal, currency: str) -> DraftLine:
    """The line without so many pieces, their amount and their tax; its discounts follow."""
    discount = sum((each.value for each in draft.discounts), ZERO)
    price = (draft.net - discount) / draft.quantity if draft.quantity else ZERO
    left, value = draft.quantity - quantity, draft.net - net
    off = value - round_money(price * left, currency)
    discounts: tuple[Discount, ...] = ()
    if off < 0:
        shares = spread(off, [each.value for each in draft.discounts] or [off], currency)
        given = draft.discounts or (Discount(type="discount", value=off),)
        discounts = tuple(attrs.evolve(each, value=share) for each, share in zip(given, shares, strict=True) if share)
    taxes: list[TaxEntry] = []
    if draft.tax != tax and draft.taxes:
        shares = spread(draft.tax - tax, [entry.amount for entry in draft.taxes], currency)
        taxes = [attrs.evolve(entry, amount=share) for entry, share in zip(draft.taxes, shares, strict=True)]
    return attrs.evolve(draft, quantity=left, net=value, taxes=taxes, discounts=discounts)

"""The lines of a refund: articles and adjustments, negative as they add to its total."""

from __future__ import annotations

from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject, round_money
from tillpost.model import LineKind
from tillpost_shopify.lines import Article, DraftLine, TaxEntry, article, is_tip, percent
from tillpost_shopify.money import Money


def refund_lines(refund: JsonObject, money: Money, original: str) -> list[DraftLine]:
    """The articles. original: the order in which they were bought."""
    found = []
    for entry in refund.objects("refund_line_items"):
        item = entry.object("line_item")
        if item is None:
            raise InvalidValue("key 'line_item' is missing", place=entry.place)
        quantity = entry.decimal("quantity")
        net, tax = _amounts(entry, item, quantity, money)
        rates = [(line.text("title", "tax"), percent(line)) for line in item.objects("tax_lines")]
        title, rate = rates[0][0] if len(rates) == 1 else "tax", sum((rate for _, rate in rates), ZERO)
        found.append(
            DraftLine(
                kind=LineKind.RETURN if quantity > 0 and not is_tip(item) else LineKind.ADJUSTMENT,
                article=article(item),
                quantity=-quantity,
                net=-net,
                taxes=[TaxEntry(title, rate, -tax)] if tax else [],
                original=original,
                item=entry.text("line_item_id", "") or item.text("id", ""),
            )
        )
    return found


def value_back(refund: JsonObject, money: Money, *, on_top: bool) -> Decimal:
    """What a refund is worth by its lines and adjustments, positive."""
    value = ZERO
    for entry in refund.objects("refund_line_items"):
        item = entry.object("line_item") or entry
        net, tax = _amounts(entry, item, entry.decimal("quantity"), money)
        value += net + tax if on_top else net
    for entry in refund.objects("order_adjustments"):
        value -= money.read(entry, "amount", ZERO) + (money.read(entry, "tax_amount", ZERO) if on_top else ZERO)
    return value


def _amounts(entry: JsonObject, item: JsonObject, quantity: Decimal, money: Money) -> tuple[Decimal, Decimal]:
    """Subtotal and tax of a returned line; its share of the sold line where the refund has none (older bodies)."""
    if entry.has("subtotal") or entry.has("subtotal_set"):
        return money.read(entry, "subtotal"), money.read(entry, "total_tax", ZERO)
    sold = item.decimal("quantity", quantity) or Decimal(1)
    discount = money.read(item, "total_discount", ZERO) * quantity / sold
    net = round_money(money.read(item, "price") * quantity - discount, money.currency)
    taxes = sum((money.read(line, "price") for line in item.objects("tax_lines")), ZERO)
    return net, round_money(taxes * quantity / sold, money.currency)


def refund_adjustments(refund: JsonObject, money: Money, original: str) -> list[DraftLine]:
    """Refunded shipping, and differences between the refund and its lines, negative as Shopify writes them."""
    found = []
    for entry in refund.objects("order_adjustments"):
        amount, tax = money.read(entry, "amount", ZERO), money.read(entry, "tax_amount", ZERO)
        if amount or tax:
            kind = entry.text("kind", "") or "adjustment"
            found.append(
                DraftLine(
                    kind=LineKind.ADJUSTMENT,
                    article=Article(
                        kind, name=entry.text("reason", ""), group="shipping" if kind == "shipping_refund" else ""
                    ),
                    quantity=Decimal(-1 if amount < 0 else 1),
                    net=amount,
                    taxes=[TaxEntry("tax", ZERO, tax)] if tax else [],
                    original=original,
                )
            )
    return found

"""A refund as a receipt of its own: negative lines that name the order they undo."""

from __future__ import annotations

from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject, MakeId, round_money
from tillpost.model import LineKind, RawRef, Receipt
from tillpost_shopify import location
from tillpost_shopify.customer import read_customer
from tillpost_shopify.lines import Article, DraftLine, TaxEntry, article, is_tip, order_taxes, percent
from tillpost_shopify.money import Money
from tillpost_shopify.settings import Settings
from tillpost_shopify.tenders import successful, tender


def refund_skip_reason(refund: JsonObject, order: JsonObject | None, settings: Settings) -> str:
    """Why a refund is skipped; "" when it is a receipt."""
    transactions = refund.objects("transactions")
    if (order is not None and order.boolean("test")) or (
        transactions and all(item.boolean("test") for item in transactions)
    ):
        return "test order"
    source = order.text("source_name", "") if order is not None else location.first_text(transactions, "source_name")
    if settings.source_names and source and source not in settings.source_names:
        return f"order of another source ({source[:40]!a})"
    if successful(refund, "refund"):
        return ""
    status = next((item.text("status", "") for item in transactions if item.text("kind", "") == "refund"), "")
    return f"refund {status[:40]!a}" if status else "a refund without money"


def read_refund(
    refund: JsonObject, order: JsonObject | None, source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up.

    The id is made of the refund alone, so that it is the same inside an order and as a webhook body. The order says
    whether tax is on top of the subtotals; without it the reading is taken that adds up.
    """
    money = Money.of_order(order, settings) if order is not None else Money.of_refund(refund, settings)
    original = refund.text("order_id", "") or (order.text("id", "") if order is not None else "")
    if not original:
        refund.text("order_id")  # raises that it is missing
    drafts = [*_line_items(refund, money, original), *_adjustments(refund, money, original)]
    transactions = successful(refund, "refund")
    tenders = tuple(tender(item, -1, money.currency, settings.tenders) for item in transactions)
    total = sum((refunded.amount for refunded in tenders), ZERO)
    created, flags = location.time(refund, settings)
    customer, more_flags = read_customer(order, settings) if order is not None else (None, ())
    on_top = _on_top(drafts, total, order)
    location_id = location.first_text(transactions, "location_id") or location.first_text(
        refund.objects("refund_line_items"), "location_id"
    )
    if not location_id and not settings.store and order is not None:
        location_id = order.text("location_id", "")
    store = location.store(location_id, refund.place, settings)
    till = location.first_text(transactions, "device_id") or settings.till
    number = refund.text("id")
    return Receipt(
        id=make_id(store=store, till=till, business_date=created.date(), number=number),
        number=number,
        created=created,
        business_date=created.date(),
        store=store,
        till=till,
        currency=money.currency,
        total=total,
        lines=tuple(draft.line(on_top=on_top) for draft in drafts),
        tenders=tenders,
        taxes=order_taxes(drafts, on_top=on_top),
        customer=customer,
        flags=(*flags, *more_flags),
        raw=source,
    )


def _on_top(drafts: list[DraftLine], total: Decimal, order: JsonObject | None) -> bool:
    if order is not None:
        return not order.boolean("taxes_included")
    nets = sum((draft.net for draft in drafts), ZERO)
    return nets != total or nets + sum((draft.tax for draft in drafts), ZERO) == total


def _line_items(refund: JsonObject, money: Money, original: str) -> list[DraftLine]:
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
            )
        )
    return found


def _amounts(entry: JsonObject, item: JsonObject, quantity: Decimal, money: Money) -> tuple[Decimal, Decimal]:
    """Subtotal and tax of a returned line; its share of the sold line where the refund has none (older bodies)."""
    if entry.has("subtotal") or entry.has("subtotal_set"):
        return money.read(entry, "subtotal"), money.read(entry, "total_tax", ZERO)
    sold = item.decimal("quantity", quantity) or Decimal(1)
    discount = money.read(item, "total_discount", ZERO) * quantity / sold
    net = round_money(money.read(item, "price") * quantity - discount, money.currency)
    taxes = sum((money.read(line, "price") for line in item.objects("tax_lines")), ZERO)
    return net, round_money(taxes * quantity / sold, money.currency)


def _adjustments(refund: JsonObject, money: Money, original: str) -> list[DraftLine]:
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

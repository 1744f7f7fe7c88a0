"""An order as a receipt."""

from __future__ import annotations

from functools import partial

from tillpost.kit import ZERO, JsonObject, MakeId, Reading, first_reading
from tillpost.model import LineKind, RawRef, Receipt
from tillpost_shopify import location
from tillpost_shopify.customer import read_customer
from tillpost_shopify.lines import (
    DraftLine,
    adjustment,
    article,
    discounts,
    is_tip,
    order_taxes,
    spread_taxes,
    tax_entries,
)
from tillpost_shopify.money import Money
from tillpost_shopify.settings import Settings
from tillpost_shopify.ways import Way, ways

# Amount of the order that is in its total and in no line → the sku of its adjustment.
_EXTRAS = {
    "original_total_duties": "duties",
    "original_total_additional_fees": "fees",
}


CANCELLED = "cancelled"


def own_id(order: JsonObject, settings: Settings, make_id: MakeId) -> str:
    """The id of the order's receipt. Raises InvalidValue."""
    created, _ = location.time(order, settings)
    store = location.store(order.text("location_id", ""), order.place, settings)
    till = order.text("device_id", "") or settings.till
    return make_id(store=store, till=till, business_date=created.date(), number=order.text("id"))


def skip_reason(order: JsonObject, settings: Settings) -> str:
    """Why an order is skipped; "" when it is a sale.

    A cancelled order that was paid and refunded is a sale: its refund is a receipt of its own.
    """
    if order.boolean("test"):
        return "test order"
    source = order.text("source_name", "")
    if settings.source_names and source not in settings.source_names:
        return f"order of another source ({source[:40]!a})"
    status = order.text("financial_status")
    if order.has("cancelled_at") and (not order.objects("refunds") or status not in settings.financial_status):
        return CANCELLED
    if status not in settings.financial_status:
        return f"payment {status[:40]!a}"
    return "" if order.objects("line_items") or not order.has("line_items") else "no line items"


def read_order(order: JsonObject, source: RawRef, settings: Settings, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the differences where amounts do not add up."""
    order.text("id")
    if not order.has("line_items"):
        order.text("line_items")  # raises that it is missing
    money = Money.of_order(order, settings)
    drafts = order_lines(order, money)
    created, flags = location.time(order, settings)
    customer, more_flags = read_customer(order, settings)
    store = location.store(order.text("location_id", ""), order.place, settings)
    till = order.text("device_id", "") or settings.till
    on_top = not order.boolean("taxes_included")

    def make(way: Way) -> Receipt:
        return Receipt(
            id=make_id(store=store, till=till, business_date=created.date(), number=order.text("id")),
            number=order.text("name", "") or order.text("order_number", "") or order.text("id"),
            created=created,
            business_date=created.date(),
            store=store,
            till=till,
            currency=money.currency,
            total=way.total,
            lines=tuple(draft.line(on_top=on_top) for draft in way.drafts),
            tenders=way.tenders,
            taxes=order_taxes(way.drafts, on_top=on_top),
            customer=customer,
            flags=(*flags, *more_flags, *way.flags),
            raw=source,
        )

    receipt, _ = first_reading(Reading(way.said, partial(make, way)) for way in ways(order, drafts, money, settings))
    return receipt


def order_lines(order: JsonObject, money: Money) -> list[DraftLine]:
    """The lines of the order as it says them, without tips and rounding that are in no line."""
    drafts = [*_line_items(order, money), *_shipping(order, money), *_extras(order, money)]
    if not any(item.has("tax_lines") for item in (*order.objects("line_items"), *order.objects("shipping_lines"))):
        spread_taxes(drafts, tax_entries(order, money), money.currency)
    return drafts


def _line_items(order: JsonObject, money: Money) -> list[DraftLine]:
    found = []
    for item in order.objects("line_items"):
        quantity = item.decimal("quantity")
        item_discounts = discounts(item, order, money)
        net = money.read(item, "price") * quantity + sum((discount.value for discount in item_discounts), ZERO)
        tip = is_tip(item)
        found.append(
            DraftLine(
                kind=LineKind.PURCHASE if quantity > 0 and not tip else LineKind.ADJUSTMENT,
                article=article(item),
                quantity=quantity,
                net=net,
                taxable=not tip and not item.boolean("gift_card") and item.values.get("taxable") is not False,
                taxes=tax_entries(item, money),
                discounts=item_discounts,
                item=item.text("id", ""),
            )
        )
    return found


def _shipping(order: JsonObject, money: Money) -> list[DraftLine]:
    found = []
    for line in order.objects("shipping_lines"):
        price = money.read(line, "price", ZERO)
        if not price or line.boolean("is_removed"):
            continue
        line_discounts = discounts(line, order, money)
        draft = adjustment(
            "shipping", price + sum((discount.value for discount in line_discounts), ZERO), line.text("title", "")
        )
        draft.taxable = True
        draft.taxes, draft.discounts = tax_entries(line, money), line_discounts
        found.append(draft)
    return found


def _extras(order: JsonObject, money: Money) -> list[DraftLine]:
    amounts = {sku: money.read(order, name, ZERO) for name, sku in _EXTRAS.items()}
    return [adjustment(sku, amount) for sku, amount in amounts.items() if amount]

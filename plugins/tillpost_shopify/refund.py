"""A refund as a receipt of its own: negative lines that name the order they undo."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import attrs

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject, MakeId, Reading, first_reading
from tillpost.model import RawRef, Receipt, Tender
from tillpost_shopify import location
from tillpost_shopify.customer import read_customer
from tillpost_shopify.edits import EXCHANGE, has_goods, is_return, is_without_money
from tillpost_shopify.lines import DraftLine, adjustment, order_taxes, sum_paid
from tillpost_shopify.money import Money
from tillpost_shopify.order import order_lines
from tillpost_shopify.returned import refund_adjustments, refund_lines
from tillpost_shopify.settings import Settings
from tillpost_shopify.tenders import ROUNDING_IN_TENDER, rounding, successful, tender

NO_MONEY = "a refund without money"


def refund_skip_reason(refund: JsonObject, order: JsonObject | None, settings: Settings) -> str:
    """Why a refund is skipped; "" when it is a receipt.

    One that moved goods without money is told by the receipt of its order. Raises InvalidValue for such a one without
    its order.
    """
    transactions = refund.objects("transactions")
    if (order is not None and order.boolean("test")) or (
        transactions and all(item.boolean("test") for item in transactions)
    ):
        return "test order"
    source = order.text("source_name", "") if order is not None else location.first_text(transactions, "source_name")
    if settings.source_names and source and source not in settings.source_names:
        return f"order of another source ({source[:40]!a})"
    if successful(transactions, "refund"):
        return ""
    status = next((item.text("status", "") for item in transactions if item.text("kind", "") == "refund"), "")
    if status:
        return f"refund {status[:40]!a}"
    if order is None and has_goods(refund) and is_without_money(refund):
        what = "brought back or exchanged" if is_return(refund) else "edited out of the order"
        raise InvalidValue(
            f"goods were {what} without money, and only the order says what that means; take orders/updated instead"
            " of refunds/create, or a file of orders",
            place=refund.place,
        )
    return f"{NO_MONEY}: its order tells what was paid" if has_goods(refund) and order is not None else NO_MONEY


def read_refund(
    refund: JsonObject, order: JsonObject | None, source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up.

    The id is made of the refund alone, so that it is the same inside an order and as a webhook body. The order says
    whether tax is on top of the subtotals; without it the reading is taken that adds up. Lines that the order has here
    are those taken in exchange.
    """
    money = Money.of_order(order, settings) if order is not None else Money.of_refund(refund, settings)
    original = refund.text("order_id", "") or (order.text("id", "") if order is not None else "")
    if not original:
        refund.text("order_id")  # raises that it is missing
    drafts = [*refund_lines(refund, money, original), *refund_adjustments(refund, money, original)]
    transactions = successful(refund.objects("transactions"), "refund")
    created, flags = location.time(refund, settings)
    customer, more_flags = read_customer(order, settings) if order is not None else (None, ())
    location_id = location.first_text(transactions, "location_id") or location.first_text(
        refund.objects("refund_line_items"), "location_id"
    )
    if not location_id and not settings.store and order is not None:
        location_id = order.text("location_id", "")
    store = location.store(location_id, refund.place, settings)
    till = location.first_text(transactions, "device_id") or settings.till
    number = refund.text("id")

    def make(way: _Way) -> Receipt:
        total = sum((refunded.amount for refunded in way.tenders), ZERO)
        on_top = _on_top(way.drafts, total, order)
        return Receipt(
            id=make_id(store=store, till=till, business_date=created.date(), number=number),
            number=number,
            created=created,
            business_date=created.date(),
            store=store,
            till=till,
            currency=money.currency,
            total=total,
            lines=tuple(draft.line(on_top=on_top) for draft in way.drafts),
            tenders=way.tenders,
            taxes=order_taxes(way.drafts, on_top=on_top),
            customer=customer,
            flags=(*flags, *more_flags, *way.flags),
            raw=source,
        )

    try:
        receipt, _ = first_reading(
            Reading(way.said, partial(make, way)) for way in _ways(refund, order, drafts, money, settings)
        )
    except InvalidValue as error:
        if order is not None or not is_return(refund):
            raise
        raise InvalidValue(
            f"{error}; goods taken in exchange are told by the order only: take orders/updated"
        ) from None
    return receipt


@attrs.frozen
class _Way:
    """One way to read a refund: `said` is what it takes for true, as a phrase for messages."""

    said: str
    drafts: list[DraftLine]
    tenders: tuple[Tender, ...]
    flags: tuple[str, ...] = ()


def _ways(
    refund: JsonObject, order: JsonObject | None, drafts: list[DraftLine], money: Money, settings: Settings
) -> Iterator[_Way]:
    """The plain way first; the others where the refund has goods taken in exchange, or cash that was rounded."""
    transactions = successful(refund.objects("transactions"), "refund")
    value = sum((rounding(item, -1, money) for item in transactions), ZERO)
    plain = tuple(tender(item, -1, money, settings.tenders, rounded=False) for item in transactions)
    rounded = plain
    if value:
        rounded = tuple(tender(item, -1, money, settings.tenders, rounded=True) for item in transactions)
    taken = order_lines(order, money) if order is not None and order.objects("line_items") else []
    contents: list[tuple[str, list[DraftLine], tuple[str, ...]]] = [("", drafts, ())]
    if taken:
        contents.append(("with what was taken in exchange", [*drafts, *taken], (EXCHANGE,)))
    for said, lines, flags in contents:
        if value:
            lines = [*lines, adjustment("rounding", value)]
        yield _Way(said or "as it stands", lines, rounded, flags)
        if value:
            yield _Way(
                ", ".join(filter(None, (said, "rounding inside the payment"))),
                lines,
                plain,
                (*flags, ROUNDING_IN_TENDER),
            )
    if order is not None and not value:
        # The order sums the rounding of its refunds; that of a single one is the difference of this size.
        size = abs(money.read(order, "total_cash_rounding_refund_adjustment", ZERO))
        on_top = not order.boolean("taxes_included")
        missing = sum((each.amount for each in plain), ZERO) - sum_paid(drafts, on_top=on_top)
        if size and abs(missing) == size:
            yield _Way("with the order's rounding", [*drafts, adjustment("rounding", missing)], plain)


def _on_top(drafts: list[DraftLine], total: Decimal, order: JsonObject | None) -> bool:
    if order is not None:
        return not order.boolean("taxes_included")
    nets = sum((draft.net for draft in drafts), ZERO)
    return nets != total or nets + sum((draft.tax for draft in drafts), ZERO) == total

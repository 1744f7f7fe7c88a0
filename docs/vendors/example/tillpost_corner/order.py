"""One completed order as a receipt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject, MakeId, adjustment, broken_id, minor_digits, parse_time, tax
from tillpost.model import Customer, Discount, Identifier, Line, LineKind, RawRef, Receipt, Tax, Tender
from tillpost_corner.settings import Settings

# TenderType of Corner → payment type of Engage.
TENDERS = {"CARD": "card", "CASH": "cash", "GIFT_CARD": "giftcard"}


def money(holder: JsonObject, name: str) -> Decimal:
    """A sum of Corner: whole minor units of its currency; a missing one is zero."""
    value = holder.object(name)
    if value is None:
        return ZERO
    amount = value.decimal("amount", ZERO)
    if amount != amount.to_integral_value():
        raise InvalidValue(f"{amount} is not a whole number of minor units", place=value.place)
    return amount.scaleb(-minor_digits(value.text("currency")))


def read_order(order: JsonObject, answer: JsonObject, source: RawRef, settings: Settings, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    number = order.text("id")
    if fault := broken_id(number):
        raise InvalidValue(fault, place=f"{order.place}.id")
    payments = [payment for payment in answer.objects("payments") if payment.text("order_id", "") == number]
    when = "closed_at" if order.has("closed_at") else "created_at"
    created, flags = parse_time(order.text(when), settings.timezone, f"{order.place}.{when}")
    store, till = order.text("location_id"), _till(payments)
    printed = next((text for payment in payments if (text := payment.text("receipt_number", ""))), number)
    return Receipt(
        id=make_id(store=store, till=till, business_date=created.date(), number=number),
        number=printed,
        created=created,
        business_date=created.date(),
        store=store,
        till=till,
        currency=_currency(order),
        total=money(order, "total_money") - money(order.object_or_empty("return_amounts"), "total_money"),
        lines=tuple(_lines(order, settings)),
        tenders=tuple(_tenders(order, answer)),
        taxes=tuple(_taxes(order)),
        customer=_customer(order, payments, settings),
        flags=flags,
        raw=source,
    )


def _currency(order: JsonObject) -> str:
    for holder in (order, order.object_or_empty("net_amounts")):
        if (total := holder.object("total_money")) is not None:
            return total.text("currency")
    raise InvalidValue("key 'total_money' is missing", place=order.place)


def _items(order: JsonObject) -> Iterator[tuple[JsonObject, int, str]]:
    """Every line item: 1 with "" for a bought one, -1 with the id of its order for a returned one."""
    for item in order.objects("line_items"):
        yield item, 1, ""
    for returned in order.objects("returns"):
        for item in returned.objects("return_line_items"):
            yield item, -1, returned.text("source_order_id", "")


def _known_taxes(order: JsonObject) -> dict[str, JsonObject]:
    """The taxes of the order and of its returns, by uid."""
    returned = (entry for part in order.objects("returns") for entry in part.objects("return_taxes"))
    return {entry.text("uid"): entry for entry in (*order.objects("taxes"), *returned)}


def _lines(order: JsonObject, settings: Settings) -> Iterator[Line]:
    taxes = _known_taxes(order)
    for item, sign, original in _items(order):
        yield _line(item, sign, original, taxes, settings)
    if tip := money(order, "total_tip_money"):
        yield adjustment("tip", tip, "tip")
    if rounding := money(order.object_or_empty("rounding_adjustment"), "amount_money"):
        yield adjustment("rounding", rounding, "rounding")


def _line(item: JsonObject, sign: int, original: str, taxes: Mapping[str, JsonObject], settings: Settings) -> Line:
    """A line; `total_money` of Corner is what was paid for all of it, tax included, after discounts."""
    other = "name" if settings.sku == "catalog_object_id" else "catalog_object_id"
    sku = item.text(settings.sku, "") or item.text(other, "") or item.text("uid", "")
    tax_amount, discount = money(item, "total_tax_money"), money(item, "total_discount_money")
    paid = money(item, "total_money")
    applied = [taxes[uid] for entry in item.objects("applied_taxes") if (uid := entry.text("tax_uid")) in taxes]
    return Line(
        kind=LineKind.PURCHASE if sign > 0 else LineKind.RETURN,
        sku=sku,
        quantity=sign * item.decimal("quantity"),
        paid=sign * paid,
        tax_amount=sign * tax_amount,
        tax_percent=sum((entry.decimal("percentage") for entry in applied), ZERO) if tax_amount else ZERO,
        article_number=sku,
        article_name=item.text("name", ""),
        discounts=(Discount(type="discount", value=-sign * discount),) if discount else (),
        extra={"originalReceipt": original} if original else {},
    )


def _tenders(order: JsonObject, answer: JsonObject) -> Iterator[Tender]:
    for tender in order.objects("tenders"):
        kind, amount = TENDERS.get(tender.text("type"), "other"), money(tender, "amount_money")
        change = money(tender.object_or_empty("cash_details"), "change_back_money")
        if amount or change:
            yield Tender(type=kind, amount=amount + change)
        if change:
            yield Tender(type=kind, amount=-change, description="Change")
    # The refund of the payment names where the money went, if the answer has it.
    types = {refund.text("id"): refund.text("destination_type", "") for refund in answer.objects("refunds")}
    for refund in order.objects("refunds"):
        kind = TENDERS.get(types.get(refund.text("id"), ""), "other")
        yield Tender(type=kind, amount=-money(refund, "amount_money"))


def _taxes(order: JsonObject) -> Iterator[Tax]:
    """One Tax for each of the order: its sum over the lines, returned ones negative, and their price without tax."""
    for uid, entry in _known_taxes(order).items():
        amount = base = ZERO
        for item, sign, _ in _items(order):
            for applied in item.objects("applied_taxes"):
                if applied.text("tax_uid") == uid:
                    amount += sign * money(applied, "applied_money")
                    base += sign * (money(item, "total_money") - money(item, "total_tax_money"))
        if amount:
            yield tax(entry.text("name", ""), entry.decimal("percentage"), amount, base)


def _customer(order: JsonObject, payments: Iterable[JsonObject], settings: Settings) -> Customer | None:
    identifiers = [
        Identifier(kind, value)
        for holder in (order, *order.objects("tenders"), *payments)
        for key, kind in (("customer_id", settings.customer), ("buyer_email_address", "email"))
        if (value := holder.text(key, ""))
    ]
    return Customer(identifiers=tuple(dict.fromkeys(identifiers))) if identifiers else None


def _till(payments: Iterable[JsonObject]) -> str:
    """The device of the first payment; "" where it has none."""
    return next((payment.object_or_empty("device_details").text("device_id", "") for payment in payments), "")

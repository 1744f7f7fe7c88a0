"""One completed order as a receipt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from tillpost import InvalidValue
from tillpost.kit import MakeId, minor_digits, parse_decimal
from tillpost.model import Customer, Discount, Identifier, Line, LineKind, RawRef, Receipt, Tax, Tender
from tillpost_square.settings import Settings

ZERO = Decimal(0)
# TenderType of Square → payment type of Engage.
TENDERS = {
    "CARD": "card",
    "THIRD_PARTY_CARD": "card",
    "CASH": "cash",
    "SQUARE_GIFT_CARD": "giftcard",
    "WALLET": "wallet",
    "BANK_ACCOUNT": "bank",
    "BUY_NOW_PAY_LATER": "invoice",
    "SQUARE_ACCOUNT": "invoice",
}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def money(holder: Mapping[str, Any], name: str) -> Decimal:
    """A sum of Square: whole minor units of its currency. Nothing said is zero."""
    value = holder.get(name)
    if value is None:
        return ZERO
    amount = value.get("amount", 0)
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise InvalidValue("must be a whole number of minor units", place=name)
    return Decimal(amount).scaleb(-minor_digits(value["currency"]))


def text(value: Any) -> str:
    """A text without the characters no file to Engage can carry."""
    return _FORBIDDEN.sub("", str(value or "")).strip()


def _texts(value: Any) -> Iterable[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def read_order(
    order: Mapping[str, Any], answer: Mapping[str, Any], source: RawRef, settings: Settings, make_id: MakeId
) -> Receipt:
    """The receipt. Raises InvalidValue for what is missing or does not add up, KeyError for another shape."""
    returns = order.get("returns", [])
    taxes = {tax["uid"]: tax for tax in order.get("taxes", [])}
    sold = [_line(item, taxes, settings) for item in order.get("line_items", [])]
    lines = [*sold, *_adjustments(order)]
    for back in returns:
        known = {**taxes} | {tax["uid"]: tax for tax in back.get("return_taxes", [])}
        link = {"originalReceipt": back["source_order_id"]} if back.get("source_order_id") else {}
        lines += [_line(item, known, settings, link, sign=-1) for item in back.get("return_line_items", [])]
    payments = [each for each in answer.get("payments", []) if each.get("order_id") == order["id"]]
    created = _time(order.get("closed_at") or order["created_at"], settings)
    store, till = order["location_id"], _till(payments)
    written = next((each["receipt_number"] for each in payments if each.get("receipt_number")), order["id"])
    return Receipt(
        id=make_id(store=store, till=till, business_date=created.date(), number=order["id"]),
        number=written,
        created=created,
        business_date=created.date(),
        store=store,
        till=till,
        currency=(order.get("total_money") or order["net_amounts"]["total_money"])["currency"],
        total=money(order, "total_money") - money(order.get("return_amounts", {}), "total_money"),
        lines=tuple(lines),
        tenders=tuple(_tenders(order, answer.get("refunds", []))),
        taxes=tuple(_taxes(order, taxes)),
        customer=_customer(order, payments, settings),
        flags=("control-characters",) if any(map(_FORBIDDEN.search, _texts(order))) else (),
        raw=source,
    )


def _line(
    item: Mapping[str, Any],
    taxes: Mapping[str, Any],
    settings: Settings,
    link: Mapping[str, str] | None = None,
    sign: int = 1,
) -> Line:
    """A line; `total_money` of Square is what was paid for all of it, tax and discounts in it."""
    other = "name" if settings.sku == "catalog_object_id" else "catalog_object_id"
    number = text(item.get(settings.sku)) or text(item.get(other)) or text(item.get("uid"))
    tax, off = money(item, "total_tax_money"), money(item, "total_discount_money")
    paid = money(item, "total_money")
    applied = [taxes[each["tax_uid"]] for each in item.get("applied_taxes", []) if each["tax_uid"] in taxes]
    return Line(
        kind=LineKind.PURCHASE if sign > 0 else LineKind.RETURN,
        sku=number,
        quantity=sign * parse_decimal(item["quantity"], "quantity"),
        paid=sign * paid,
        tax_amount=sign * tax,
        tax_percent=sum((parse_decimal(each["percentage"], "percentage") for each in applied), ZERO) if tax else ZERO,
        article_number=number,
        article_name=text(item.get("name")),
        discounts=(Discount(type="discount", value=-sign * off),) if off else (),
        extra=link or {},
    )


def _adjustments(order: Mapping[str, Any]) -> Iterable[Line]:
    """What is in the total and on no line."""
    service = [(text(each.get("name")) or "service charge", each) for each in order.get("service_charges", [])]
    for name, holder, key in (
        *((name, each, "total_money") for name, each in service),
        ("tip", order, "total_tip_money"),
        ("rounding", order.get("rounding_adjustment") or {}, "amount_money"),
    ):
        if amount := money(holder, key):
            yield Line(
                kind=LineKind.ADJUSTMENT, sku=key.removeprefix("total_"), quantity=Decimal(1), paid=amount,
                article_name=name,
            )  # fmt: skip


def _tenders(order: Mapping[str, Any], refunds: Iterable[Mapping[str, Any]]) -> Iterable[Tender]:
    for tender in order.get("tenders", []):
        kind, amount, cash = (
            TENDERS.get(tender["type"], "other"),
            money(tender, "amount_money"),
            tender.get("cash_details"),
        )
        if cash:
            change = money(cash, "change_back_money")
            yield Tender(type=kind, amount=amount + change)
            if change:
                yield Tender(type=kind, amount=-change, description="Change")
        elif amount:
            yield Tender(type=kind, amount=amount)
    # Where money went back is told by the refund of the payment, if Square was asked for it.
    told = {each["id"]: each.get("destination_type", "") for each in refunds}
    for back in order.get("refunds", []):
        yield Tender(type=TENDERS.get(told.get(back["id"], ""), "other"), amount=-money(back, "amount_money"))


def _taxes(order: Mapping[str, Any], taxes: Mapping[str, Any]) -> Iterable[Tax]:
    """One a tax of the order: what its lines have of it, returned lines taken off, on what they cost without tax."""
    items = [(item, 1) for item in order.get("line_items", [])]
    for back in order.get("returns", []):
        taxes = {**taxes} | {tax["uid"]: tax for tax in back.get("return_taxes", [])}
        items += [(item, -1) for item in back.get("return_line_items", [])]
    for uid, tax in taxes.items():
        amount = base = ZERO
        for item, sign in items:
            for applied in item.get("applied_taxes", []):
                if applied["tax_uid"] == uid:
                    amount += sign * money(applied, "applied_money")
                    base += sign * (money(item, "total_money") - money(item, "total_tax_money"))
        if amount:
            percent = parse_decimal(tax["percentage"], "percentage")
            yield Tax(
                description=text(tax.get("name")), percent=percent, amount=amount, including_tax=base + amount,
                excluding_tax=base,
            )  # fmt: skip


def _customer(order: Mapping[str, Any], payments: Iterable[Mapping[str, Any]], settings: Settings) -> Customer | None:
    known: list[Identifier] = []
    for holder in (order, *order.get("tenders", []), *payments):
        for key, kind in (("customer_id", settings.customer), ("buyer_email_address", "email")):
            if value := text(holder.get(key)):
                found = Identifier(kind, value)
                known += [found] if found not in known else []
    return Customer(identifiers=tuple(known)) if known else None


def _till(payments: Iterable[Mapping[str, Any]]) -> str:
    return next((text(each.get("device_details", {}).get("device_id")) for each in payments), "")


def _time(written: str, settings: Settings) -> datetime:
    """Square writes UTC: the till's local time with its offset."""
    try:
        local = datetime.fromisoformat(written).astimezone(settings.timezone)
    except ValueError:
        raise InvalidValue("not a time such as 2026-01-31T12:00:00Z", place="closed_at") from None
    offset = local.utcoffset()
    assert offset is not None
    # A fixed offset: two values of a zone do not compare well in the hour that comes twice (PEP 495).
    return local.replace(tzinfo=timezone(offset), fold=0)

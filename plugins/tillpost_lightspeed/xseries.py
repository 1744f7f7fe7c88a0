"""A sale of the X-Series (Vend) as a receipt: of the API 2.0, and of API 0.9 and its webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import (
    ROUNDING,
    ROUNDING_AS_TENDER,
    ZERO,
    MakeId,
    Reading,
    XmlJsonObject,
    adjustment,
    first_reading,
    line_kind,
    mismatch,
    parse_time,
    round_lines,
    round_money,
    vat_of_lines,
    voided_id,
)
from tillpost.model import Customer, Discount, Line, LineKind, NoReceipt, RawRef, Receipt, Tender
from tillpost_lightspeed.customer import known_customer
from tillpost_lightspeed.payments import TENDER_UNKNOWN, tender_type
from tillpost_lightspeed.settings import Settings

TAX_INSIDE = "tax-inside-total"
"""The flag of a receipt whose total_price has the tax in it, which it otherwise has not."""
VOID_LINE_LEFT_OUT = "void-line-left-out"
"""The flag of a receipt without the lines whose status says that they are void."""
CUSTOMER_UNCLEAR = "customer-unclear"
"""The flag of a receipt with a customer_id that may be the walk-in customer's: set `walk_in` to have customers."""

_DONE = ("CLOSED", "LAYBY_CLOSED", "ONACCOUNT_CLOSED", "PICKED_UP_CLOSED", "DISPATCHED_CLOSED")
_NOT_YET = {
    "OPEN": "not completed",
    "SAVED": "parked",
    "PARKED": "parked",
    "PENDING": "not completed",
    "LAYBY": "layby, not paid yet",
    "ONACCOUNT": "on account, not paid yet",
    "AWAITING_PICKUP": "not picked up yet",
    "AWAITING_DISPATCH": "not dispatched yet",
}


def no_receipt(sale: XmlJsonObject, settings: Settings, make_id: MakeId) -> NoReceipt | None:
    """Why the sale is skipped; None when it is a receipt. Raises InvalidValue for a status that is not known."""
    number = _number(sale)
    status = (sale.text("status", "") or sale.text("state")).upper()
    if status == "VOIDED" or sale.has("deleted_at"):
        voids = voided_id(lambda: _own_id(sale, settings, make_id))
        return NoReceipt(reason="voided", place=sale.place, retail=True, number=number, voids=voids, final=True)
    if status in _NOT_YET:
        return NoReceipt(reason=_NOT_YET[status], place=sale.place, retail=True, number=number)
    if status not in _DONE:
        raise InvalidValue(f"{status[:30]!a} is an unknown status of a sale", place=f"{sale.place}.status")
    if not _items(sale) and not _payments(sale) and not _written_total(sale):
        return NoReceipt(reason="without lines and payments", place=sale.place, retail=True, number=number)
    return None


def read_sale(sale: XmlJsonObject, source: RawRef, settings: Settings, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    paid = sum((round_money(entry.decimal("amount"), settings.currency) for entry in _payments(sale)), ZERO)
    (total, lines), flags = first_reading(_readings(sale, paid, settings))
    tenders, rounding, tender_flags = _tenders(sale, settings)
    created = _time(sale, settings)
    customer, customer_flags = _customer(sale, settings)
    store = _store(sale, settings)
    return Receipt(
        id=_own_id(sale, settings, make_id),
        number=_number(sale) or sale.text("id"),
        created=created,
        business_date=created.date(),
        store=store,
        till=sale.text("register_id", ""),
        currency=settings.currency,
        total=total + sum((line.paid for line in rounding), ZERO),
        lines=(*lines, *rounding),
        tenders=tenders,
        taxes=vat_of_lines(lines),
        customer=customer,
        flags=(*flags, *tender_flags, *customer_flags),
        raw=source,
    )


_Goods = tuple[Decimal, tuple[Line, ...]]


def _readings(sale: XmlJsonObject, paid: Decimal, settings: Settings) -> Iterator[Reading[_Goods]]:
    """Lines that sum to the total, which is what was paid."""
    currency, items = settings.currency, _items(sale)
    price, tax = _written_total(sale), _total_tax(sale)

    def reading(
        said: str, price: Decimal, tax: Decimal, of: Sequence[XmlJsonObject], flag: str, taxed: bool = True
    ) -> Reading[_Goods]:
        def make() -> _Goods:
            lines = [*_lines(sale, of, round_money(price, currency), round_money(tax, currency), settings, taxed)]
            lines += [
                adjustment(entry.text("type", "adjustment").lower(), round_money(entry.decimal("value"), currency), "")
                for entry in sale.objects("adjustments")
            ]
            total = sum((line.paid for line in lines), ZERO)
            if total != paid:
                raise mismatch("payments sum to", paid, "the sale's total is", total, currency, place=sale.place)
            return total, tuple(lines)

        return Reading(said, make, flag)

    yield reading("tax on top of total_price", price, tax, items, "")
    yield reading("tax inside total_price", price - tax, tax, items, TAX_INSIDE, taxed=False)
    live = [item for item in items if "VOID" not in item.text("status", "").upper()]
    if len(live) < len(items):
        yield reading("without lines that are void", price, tax, live, VOID_LINE_LEFT_OUT)


def _lines(
    sale: XmlJsonObject, items: Sequence[XmlJsonObject], price: Decimal, tax: Decimal, settings: Settings, taxed: bool
) -> Iterator[Line]:
    """taxed: whether a line's amount is without its tax."""
    currency = settings.currency
    taxes = [_amount(item, ("total_tax", "tax_total"), "tax") for item in items]
    nets = [_amount(item, ("total_price", "price_total"), "price") for item in items]
    if not taxed:
        nets = [net - amount for net, amount in zip(nets, taxes, strict=True)]
    net_shares = round_lines(price, nets, currency)
    tax_shares = round_lines(tax, taxes, currency)
    original = sale.text("return_for", "")
    for item, net, amount, exact in zip(items, net_shares, tax_shares, nets, strict=True):
        quantity = item.decimal("quantity")
        off = _amount(item, ("total_discount", "discount_total"), "discount")
        value = round_money(exact + off, currency) - net if off else ZERO
        keys = ("sku", "handle", "product_id", "id")
        yield Line(
            kind=line_kind(quantity, net + amount) if quantity else LineKind.ADJUSTMENT,
            sku=next((text for key in keys if (text := item.text(key, ""))), "misc"),
            quantity=quantity,
            paid=net + amount,
            tax_amount=amount,
            tax_percent=_percent(item, exact, amount),
            article_number=item.text("product_id", ""),
            article_name=item.text("name", ""),
            discounts=(Discount(type="discount", value=-value),) if value else (),
            extra={"originalReceipt": original} if original and quantity < 0 else {},
        )


def _percent(item: XmlJsonObject, net: Decimal, tax: Decimal) -> Decimal:
    """The rate of a line: the API 2.0 only has its amount, which gives it to a hundredth of a percent."""
    if not tax:
        return ZERO
    rate = item.decimal("tax_rate", ZERO)
    exact = _amount(item, ("total_tax", "tax_total"), "tax")
    return rate * 100 if rate else (exact * 100 / net).quantize(Decimal("0.01")).normalize() + 0 if net else ZERO


def _amount(item: XmlJsonObject, whole: Sequence[str], unit: str) -> Decimal:
    """The amount of the whole line, else of a piece times the quantity."""
    name = next((name for name in whole if item.values.get(name) not in (None, "")), "")
    return item.decimal(name) if name else item.decimal(unit, ZERO) * item.decimal("quantity")


def _tenders(sale: XmlJsonObject, settings: Settings) -> tuple[tuple[Tender, ...], tuple[Line, ...], tuple[str, ...]]:
    tenders: list[Tender] = []
    rounding: list[Line] = []
    flags: list[str] = []
    for entry in _payments(sale):
        names = [
            entry.object_or_empty("retailer_payment_type").text("name", ""),
            entry.text("name", ""),
            entry.object_or_empty("payment_type").text("name", ""),
        ]
        amount = round_money(entry.decimal("amount"), settings.currency)
        name = next(filter(None, names), "")
        if not amount:
            continue
        found = tender_type(names, settings.tenders)
        if found == ROUNDING:
            rounding.append(adjustment(ROUNDING, -amount, ""))
            flags.append(ROUNDING_AS_TENDER)
            continue
        flags += [] if found else [TENDER_UNKNOWN]
        tenders.append(Tender(type=found or "other", amount=amount, description=name))
    return tuple(tenders), tuple(rounding), tuple(dict.fromkeys(flags))


def _customer(sale: XmlJsonObject, settings: Settings) -> tuple[Customer | None, tuple[str, ...]]:
    """The customer. A walk-in has a customer_id as well, by which a contact would have all their receipts."""
    account = sale.object_or_empty("customer")
    number = sale.text("customer_id", "") or account.text("id", "")
    code = account.text("customer_code", "")
    if not number or number in settings.walk_in or code.upper() == "WALKIN":
        return None, ()
    is_told = bool(settings.walk_in or code)
    names = {"firstName": account.text("first_name", ""), "lastName": account.text("last_name", "")}
    found = known_customer(
        number if is_told else "",
        [account.text("email", "")],
        [account.text(key, "") for key in ("mobile", "phone")],
        names,
        settings,
    )
    return found, () if is_told or found else (CUSTOMER_UNCLEAR,)


def _time(sale: XmlJsonObject, settings: Settings) -> datetime:
    created, _ = parse_time(sale.text("sale_date"), settings.timezone, f"{sale.place}.sale_date", utc=True)
    return created


def _own_id(sale: XmlJsonObject, settings: Settings, make_id: MakeId) -> str:
    return make_id(
        store=_store(sale, settings),
        till=sale.text("register_id", ""),
        business_date=_time(sale, settings).date(),
        number=sale.text("id"),
    )


def _store(sale: XmlJsonObject, settings: Settings) -> str:
    """The outlet; API 0.9 only has the register."""
    outlet = sale.text("outlet_id", "") or sale.text("register_id")
    return settings.stores.get(outlet, outlet)


def _number(sale: XmlJsonObject) -> str:
    return sale.text("receipt_number", "") or sale.text("invoice_number", "")


def _items(sale: XmlJsonObject) -> list[XmlJsonObject]:
    return sale.objects("line_items" if "line_items" in sale.values else "register_sale_products")


def _payments(sale: XmlJsonObject) -> list[XmlJsonObject]:
    return sale.objects("payments" if "payments" in sale.values else "register_sale_payments")


def _written_total(sale: XmlJsonObject) -> Decimal:
    return sale.decimal("total_price", sale.object_or_empty("totals").decimal("total_price", ZERO))


def _total_tax(sale: XmlJsonObject) -> Decimal:
    return sale.decimal("total_tax", sale.object_or_empty("totals").decimal("total_tax", ZERO))

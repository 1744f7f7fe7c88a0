"""The products of a purchase as lines: their discounts, the spread discounts of the purchase, their rates of tax."""

from __future__ import annotations

from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject, line_kind, minor_digits, round_money, spread
from tillpost.model import Discount, LineKind


@attrs.frozen
class MinorUnits:
    """Reads amounts in minor units of a currency, as Zettle writes them."""

    currency: str

    def read(self, item: JsonObject, name: str, default: Decimal | None = None) -> Decimal:
        """The amount in units of the currency. Raises InvalidValue for a fraction of a minor unit."""
        value = item.decimal(name, default)
        if value != value.to_integral_value():
            raise InvalidValue(f"{value} is not a whole number of minor units", place=f"{item.place}.{name}")
        return value.scaleb(-minor_digits(self.currency))


@attrs.define(kw_only=True)
class DraftLine:
    """One line: `quantity` and `net` signed as they add to the amount; `net` has its discounts taken off."""

    kind: LineKind
    sku: str
    quantity: Decimal
    net: Decimal
    percents: tuple[Decimal, ...] = ()
    number: str = ""
    name: str = ""
    group: str = ""
    discounts: list[Discount] = attrs.field(factory=list)

    @property
    def percent(self) -> Decimal:
        """All its taxes together."""
        return self.percents[0] if len(self.percents) == 1 else sum(self.percents, ZERO)

    def take_off(self, value: Decimal, label: str) -> None:
        """Take a discount off; `value` has the sign of the line."""
        if value:
            self.net -= value
            self.discounts.append(Discount(type="discount", value=-value, description=label))


def read_rows(purchase: JsonObject, money: MinorUnits) -> list[DraftLine]:
    """The products with their own discounts taken off, and the service charge."""
    found = [_draft_line(product, money) for product in purchase.objects("products")]
    charge = purchase.object("serviceCharge")
    if charge is not None and charge.decimal("amount", ZERO):
        found.append(
            DraftLine(
                kind=LineKind.ADJUSTMENT,
                sku="service-charge",
                name=charge.text("title", ""),
                group="service charge",
                quantity=charge.decimal("quantity", Decimal(1)),
                net=money.read(charge, "amount"),
                percents=tax_percents(charge),
            )
        )
    return found


def tax_percents(item: JsonObject) -> tuple[Decimal, ...]:
    """The rates of an item: `vatPercentage`, else each of `taxRates`, as where sales tax is on top."""
    if item.boolean("taxExempt"):
        return ()
    if item.has("vatPercentage"):
        percent = item.decimal("vatPercentage")
        return (percent,) if percent else ()
    rates = [rate.decimal("percentage", ZERO) for rate in item.objects("taxRates")]
    return tuple(rate for rate in rates if rate)


def _draft_line(product: JsonObject, money: MinorUnits) -> DraftLine:
    quantity = product.decimal("quantity")
    whole = round_money(quantity * money.read(product, "unitPrice"), money.currency)
    names = (product.text(key, "") for key in ("sku", "barcode", "variantUuid", "productUuid", "name"))
    title, variant = product.text("name", ""), product.text("variantName", "")
    draft = DraftLine(
        kind=line_kind(quantity, whole) if quantity else LineKind.ADJUSTMENT,
        sku=next(filter(None, names), "custom"),
        number=product.text("productUuid", ""),
        name=f"{title} {variant}".strip() if variant != title else title,
        group="giftcard"
        if product.text("type", "") == "GIFTCARD"
        else product.object_or_empty("category").text("name", ""),
        quantity=quantity,
        net=whole,
        percents=tax_percents(product),
    )
    discount = product.object_or_empty("discount")
    if product.has("discountValue"):
        value = abs(money.read(product, "discountValue"))
    else:
        value = _value(discount, abs(whole), money) if product.has("discount") else ZERO
    draft.take_off(value.copy_sign(whole), discount.text("name", ""))
    return draft


def _value(discount: JsonObject, whole: Decimal, money: MinorUnits) -> Decimal:
    """The amount of a discount: fixed, or a percentage of the whole; times its quantity."""
    times = abs(discount.decimal("quantity", Decimal(1)))
    if discount.has("amount"):
        return abs(money.read(discount, "amount")) * times
    return round_money(whole * discount.decimal("percentage") * times / 100, money.currency)


def take_off_purchase_discounts(
    purchase: JsonObject, drafts: list[DraftLine], due: Decimal | None, money: MinorUnits
) -> None:
    """Discounts on the whole purchase, spread over the products in proportion to their price.

    due: the sum of the products by the purchase's amount, None when tax is on top. How Zettle rounds a percentage is
    not published: where this rounding misses `due` by one minor unit, `due` is taken.
    """
    products = [draft for draft in drafts if draft.group != "service charge" and draft.net]
    for discount in purchase.objects("discounts"):
        whole = sum((draft.net for draft in products), ZERO)
        if not whole:
            raise InvalidValue("no line has a price that can take the discount", place=discount.place)
        value = _value(discount, abs(whole), money).copy_sign(whole)
        unit = Decimal(1).scaleb(-minor_digits(money.currency))
        if due is not None and discount.has("percentage") and abs(whole - value - due) == unit:
            value = whole - due
        label = discount.text("name", "")
        for draft, share in zip(
            products, spread(value, [draft.net for draft in products], money.currency), strict=True
        ):
            draft.take_off(share, label)

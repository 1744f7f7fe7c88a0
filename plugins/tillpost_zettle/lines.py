"""The rows of a purchase as lines: discounts off, the purchase's own discount spread, VAT reckoned."""

from __future__ import annotations

from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import JsonObject, minor_digits, round_money, spread
from tillpost.model import Discount, Line, LineKind, Tax

ZERO = Decimal(0)


@attrs.frozen
class Minor:
    """Amounts in the smallest unit of a currency, as Zettle writes them."""

    currency: str

    def read(self, item: JsonObject, name: str, default: Decimal | None = None) -> Decimal:
        """The amount in units of the currency. Raises InvalidValue for a part of the smallest unit."""
        value = item.decimal(name, default)
        if value != value.to_integral_value():
            raise InvalidValue(f"{value} is not a whole number of minor units", place=f"{item.place}.{name}")
        return value.scaleb(-minor_digits(self.currency))

    def percent_of(self, whole: Decimal, percent: Decimal) -> Decimal:
        """A percentage of an amount, rounded half up as tills round."""
        return round_money(whole * percent / 100, self.currency)


@attrs.define(kw_only=True)
class Draft:
    """One line: `quantity` and `net` signed as they add to the amount; `net` has the discounts off."""

    kind: LineKind
    sku: str
    quantity: Decimal
    net: Decimal
    percent: Decimal = ZERO
    number: str = ""
    name: str = ""
    group: str = ""
    discounts: list[Discount] = attrs.field(factory=list)

    def take_off(self, value: Decimal, label: str) -> None:
        """A reduction of so much, with the sign of the line."""
        if value:
            self.net -= value
            self.discounts.append(Discount(type="discount", value=-value, description=label))


def read_rows(purchase: JsonObject, money: Minor) -> list[Draft]:
    """Products with their own discount off, and the service charge."""
    found = [_row(product, money) for product in purchase.objects("products")]
    charge = purchase.object("serviceCharge")
    if charge is not None and charge.decimal("amount", ZERO):
        found.append(
            Draft(
                kind=LineKind.ADJUSTMENT,
                sku="service-charge",
                name=charge.text("title", ""),
                group="service charge",
                quantity=charge.decimal("quantity", Decimal(1)),
                net=money.read(charge, "amount"),
                percent=charge.decimal("vatPercentage", ZERO),
            )
        )
    return found


def _row(product: JsonObject, money: Minor) -> Draft:
    quantity = product.decimal("quantity")
    whole = round_money(quantity * money.read(product, "unitPrice"), money.currency)
    names = (product.text(key, "") for key in ("sku", "barcode", "variantUuid", "productUuid", "name"))
    title, variant = product.text("name", ""), product.text("variantName", "")
    draft = Draft(
        # A negative price (a deposit handed back) is neither a purchase nor a return.
        kind=LineKind.RETURN if quantity < 0 and whole <= 0
        else LineKind.PURCHASE if quantity > 0 and whole >= 0
        else LineKind.ADJUSTMENT,
        sku=next(filter(None, names), "custom"),
        number=product.text("productUuid", ""),
        name=f"{title} {variant}".strip() if variant != title else title,
        group="giftcard" if product.text("type", "") == "GIFTCARD" else _category(product),
        quantity=quantity,
        net=whole,
        percent=product.decimal("vatPercentage", ZERO),
    )  # fmt: skip
    discount = product.object("discount")
    if product.has("discountValue"):
        value = abs(money.read(product, "discountValue"))
    else:
        value = _value(discount, abs(whole), money) if discount is not None else ZERO
    draft.take_off(value.copy_sign(whole), discount.text("name", "") if discount is not None else "")
    return draft


def _category(product: JsonObject) -> str:
    category = product.object("category")
    return category.text("name", "") if category is not None else ""


def _value(discount: JsonObject, whole: Decimal, money: Minor) -> Decimal:
    """What a discount is worth: a fixed amount, or a percentage of the whole, as often as it says."""
    times = abs(discount.decimal("quantity", Decimal(1)))
    if discount.has("amount"):
        return abs(money.read(discount, "amount")) * times
    return money.percent_of(whole, discount.decimal("percentage") * times)


def take_off_purchase_discounts(purchase: JsonObject, drafts: list[Draft], due: Decimal | None, money: Minor) -> None:
    """Discounts on the whole purchase, spread to the cent over the products by what they cost.

    due: what the products come to by the purchase's amount, None when it has tax on top. How Zettle rounds a
    percentage is not published: where our rounding misses `due` by one smallest unit, the till's own counts.
    """
    goods = [draft for draft in drafts if draft.group != "service charge" and draft.net]
    for discount in purchase.objects("discounts"):
        whole = sum((draft.net for draft in goods), ZERO)
        if not whole:
            raise InvalidValue("no line has a price that can take the discount", place=discount.place)
        value = _value(discount, abs(whole), money).copy_sign(whole)
        unit = Decimal(1).scaleb(-minor_digits(money.currency))
        if due is not None and discount.has("percentage") and abs(whole - value - due) == unit:
            value = whole - due
        label = discount.text("name", "")
        for draft, share in zip(goods, spread(value, [draft.net for draft in goods], money.currency), strict=True):
            draft.take_off(share, label)


def lines_and_taxes(drafts: list[Draft], money: Minor, *, on_top: bool) -> tuple[tuple[Line, ...], tuple[Tax, ...]]:
    """VAT per line by its percentage; the receipt's taxes are the sums of the lines."""
    lines, summed = [], dict[Decimal, tuple[Decimal, Decimal]]()
    for draft in drafts:
        divisor = 100 if on_top else 100 + draft.percent
        tax = round_money(draft.net * draft.percent / divisor, money.currency) if draft.percent else ZERO
        paid = draft.net + tax if on_top else draft.net
        if draft.percent:
            amount, before = summed.get(draft.percent, (ZERO, ZERO))
            summed[draft.percent] = (amount + tax, before + paid - tax)
        lines.append(
            Line(
                kind=draft.kind,
                sku=draft.sku,
                quantity=draft.quantity,
                paid=paid,
                tax_amount=tax,
                tax_percent=draft.percent,
                article_number=draft.number,
                article_name=draft.name,
                article_group=draft.group,
                discounts=tuple(draft.discounts),
            )
        )
    taxes = tuple(
        Tax(description="VAT", percent=percent, amount=amount, including_tax=base + amount, excluding_tax=base)
        for percent, (amount, base) in summed.items()
    )
    return tuple(lines), taxes

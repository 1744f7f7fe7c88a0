"""Amounts of Shopify in one of its two currencies: the customer's (presentment) or the shop's."""

from __future__ import annotations

from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import JsonObject
from tillpost_shopify.settings import Settings


@attrs.frozen
class Money:
    """The side to read, its currency, and the shop's, which is that of amounts without a `_set`."""

    side: str
    currency: str
    shop: str

    @classmethod
    def of_order(cls, order: JsonObject, settings: Settings) -> Money:
        """By the currencies of an order."""
        shop = order.text("currency")
        paid_in = order.text("presentment_currency", "") or shop
        return cls(settings.money, paid_in if settings.money == "presentment" else shop, shop)

    @classmethod
    def of_refund(cls, refund: JsonObject, settings: Settings) -> Money:
        """By the currencies of a refund's lines, else of its transactions: it has none of its own."""
        for line in refund.objects("refund_line_items"):
            pair = line.object("subtotal_set")
            if pair is not None:
                sides = {side: pair.object(f"{side}_money") for side in ("presentment", "shop")}
                codes = {side: money.text("currency_code") for side, money in sides.items() if money is not None}
                if settings.money in codes:
                    return cls(settings.money, codes[settings.money], codes.get("shop", codes[settings.money]))
        for transaction in refund.objects("transactions"):
            code = transaction.text("currency", "")
            if code:
                return cls(settings.money, code, code)
        raise InvalidValue("no line and no transaction has a currency", place=refund.place)

    def has(self, item: JsonObject, name: str) -> bool:
        """Whether the amount is there in the currency that is read."""
        return item.has(f"{name}_set") or (item.has(name) and self.currency == self.shop)

    def read(self, item: JsonObject, name: str, default: Decimal | None = None) -> Decimal:
        """The amount, `name_set` on the side, else `name`. Raises InvalidValue if only the other currency is there."""
        pair = item.object(f"{name}_set")
        money = pair.object(f"{self.side}_money") if pair is not None else None
        if money is None and pair is not None and self.currency == self.shop:
            money = pair.object("shop_money")
        if money is not None:
            code = money.text("currency_code", self.currency)
            if code != self.currency:
                raise InvalidValue(
                    f"is in {code[:3]!a}, other amounts of the receipt in {self.currency}", place=money.place
                )
            return money.decimal("amount")
        plain = item.decimal(name, default)
        if plain and self.currency != self.shop:
            raise InvalidValue(f"{name}_set, with the amount in {self.currency}, is missing", place=item.place)
        return plain

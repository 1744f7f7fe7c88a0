"""Line items as the till wrote them, without voided ones; not yet taxed or balanced."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ZERO, round_money
from tillpost.kit.xml import attribute, child, children, decimal, is_true, place, text
from tillpost.model import Discount
from tillpost_poslog.dialects import NON_ARTICLE_SIGNS
from tillpost_poslog.names import Names, find_decimal, find_text, written
from tillpost_poslog.settings import Settings
from tillpost_poslog.taxes import TaxEntry, tax_entry

PERCENT = (("Percent",), ("Percentage",))
FindOriginal = Callable[[_Element], str]


@attrs.define
class DraftLine:
    """One line: quantity and `extended` signed as they add to the total, before rewards."""

    sku: str
    article_number: str
    name: str
    group: str
    quantity: Decimal
    extended: Decimal
    reward_references: frozenset[str]
    """By which a reward names this line: the operator's sequence."""
    tax_numbers: frozenset[str]
    """Numbers of the taxes that are on this line, where the till says so (Itemizers Tax1="true")."""
    taxes: list[TaxEntry]
    modifiers: list[Discount]
    """Price modifiers of the line, which may be taken off in `extended` already."""
    rewards: list[Discount] = attrs.field(factory=list)
    """Reductions outside the line item: never taken off in `extended`."""
    receipt_discounts: list[Discount] = attrs.field(factory=list)
    """Its shares of discounts on the transaction, which may repeat the price modifiers of the lines."""
    by_piece: bool = False
    """Whether its price modifiers were written for one piece."""
    is_article: bool = True
    """False for a bottle's deposit, money paid on account, a rounding."""
    original: str = ""
    """The receipt a returned article was bought on."""
    item: _Element | None = None
    """Where it stands; None for money that is for no article."""

    def entry(self) -> _Element | None:
        """The line item in which it stands."""
        return None if self.item is None else self.item.getparent()

    def net(self, *, price_modifiers: bool, receipt_discounts: bool = True) -> Decimal:
        """What the line adds before tax, with its price modifiers and receipt discounts taken off where asked."""
        discounts = (
            *self.rewards,
            *(self.modifiers if price_modifiers else ()),
            *(self.receipt_discounts if receipt_discounts else ()),
        )
        return self.extended + sum((discount.value for discount in discounts), ZERO)


def _modifiers(item: _Element, quantity: Decimal, extended: Decimal, currency: str, names: Names) -> list[Discount]:
    found = []
    sign = -1 if extended < 0 else 1
    for modifier in children(item, "RetailPriceModifier", "PriceModifier"):
        value = decimal(modifier, "Amount")
        if value is None and (percent := find_decimal(modifier, PERCENT)):
            regular = find_decimal(item, names["regular"])
            value = round_money((extended if regular is None else regular * quantity) * percent / 100, currency)
        if not value or is_true(modifier, "VoidFlag"):
            continue
        element = child(modifier, "Amount")
        action = attribute(element, "Action") if element is not None else ""
        value = abs(value) * sign * (1 if action.lower().startswith("ad") else -1)
        label = text(modifier, "PromotionID") or text(modifier, "ReasonCode")
        found.append(
            Discount(type="promotion" if text(modifier, "PromotionID") else "price", value=value, description=label)
        )
    return found


def draft_line(
    item: _Element, returned: bool, currency: str, settings: Settings, find_original: FindOriginal
) -> DraftLine:
    names = settings.all_names
    quantity = find_decimal(item, names["quantity"])
    if quantity is None:
        quantity = Decimal(1)
    extended = find_decimal(item, names["amount"])
    if extended is None:
        extended = round_money(_unit_price(item, names) * quantity, currency)
    if returned:  # the standard writes returns without a sign, some vendors with one
        quantity, extended = -abs(quantity), -abs(extended)
    no_article = NON_ARTICLE_SIGNS.get(attribute(item, "ItemType").rpartition(":")[2], 0)
    if no_article < 0:
        quantity, extended = abs(quantity), -abs(extended)
    sign = -1 if extended < 0 else 1
    first, second = names["item"], names["scanned"]
    if settings.sku == "POSItemID":
        first, second = second, first
    sku = find_text(item, first) or find_text(item, second)
    group = find_text(item, names["group"])
    modifiers, by_piece = _of_the_line(
        _modifiers(item, quantity, extended, currency, names), item, quantity, extended, names
    )
    itemizers = child(item, "Itemizers")
    marks = itemizers.attrib.items() if itemizers is not None else ()
    return DraftLine(
        sku=sku or group or (attribute(item, "ItemType") if no_article else ""),
        article_number=(sku if settings.sku == "ItemID" else find_text(item, second)) or sku,
        name=find_text(item, names["name"]),
        group=group,
        quantity=quantity,
        extended=extended,
        reward_references=frozenset({text(item, "OperatorSequence")} - {"", "0"}),
        tax_numbers=frozenset(str(key)[3:] for key, on in marks if str(key).startswith("Tax") and on in ("true", "1")),
        taxes=[tax_entry(tax, sign) for tax in children(item, "Tax") if not is_true(tax, "VoidFlag")],
        modifiers=modifiers,
        by_piece=by_piece,
        is_article=not no_article,
        original=find_original(item) if quantity < 0 and not no_article else "",
        item=item,
    )


def non_article(sku: str, name: str, value: Decimal) -> DraftLine:
    """Money for no article, such as a deposit or the rounding of cash, which becomes an adjustment."""
    return DraftLine(sku, "", name, "", Decimal(1), value, frozenset(), frozenset(), [], [], is_article=False)


def rounding_line(value: Decimal) -> DraftLine:
    """The rounding of cash."""
    return non_article("rounding", "Rounding", value)


def _unit_price(item: _Element, names: Names) -> Decimal:
    price = find_decimal(item, names["price"])
    if price is None:
        price = find_decimal(item, names["regular"])
    if price is None:
        looked_for = written((*names["amount"], *names["price"], *names["regular"]))
        raise InvalidValue(f"has no amount; looked for {looked_for}; `names` adds others", place=place(item))
    return price


def _of_the_line(
    modifiers: list[Discount], item: _Element, quantity: Decimal, extended: Decimal, names: Names
) -> tuple[list[Discount], bool]:
    """The price modifiers for the whole line, and whether they are written for a piece.

    So they are where that many times they are what the line is reduced by.
    """
    if not modifiers or quantity in (1, -1):
        return modifiers, False
    regular = find_decimal(item, names["regular"])
    if regular is None:
        return modifiers, False
    reduced, by_piece = extended - regular * quantity, sum((modifier.value for modifier in modifiers), ZERO)
    if reduced == by_piece or reduced != by_piece * abs(quantity):
        return modifiers, False
    return [attrs.evolve(modifier, value=modifier.value * abs(quantity)) for modifier in modifiers], True

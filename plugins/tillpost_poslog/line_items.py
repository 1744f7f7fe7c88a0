"""Line items as the till wrote them, without voided ones; not yet taxed or balanced."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ZERO, round_money
from tillpost.kit.xml import attribute, child, children, decimal, is_true, local_name, place, text
from tillpost.model import Discount
from tillpost_poslog.dialects import NON_ARTICLE_SIGNS, RESERVED
from tillpost_poslog.layaway import completes_layaway, deposits, sold
from tillpost_poslog.names import Names, find_decimal, find_text, only, written
from tillpost_poslog.settings import Settings
from tillpost_poslog.taxes import TaxEntry, tax_entry

VOID_BY_LINK = "void-by-link"
"""The flag of a receipt with a voided line that took back the line it points at, whatever its own sign."""
DISCOUNT_BY_PIECE = "discount-by-piece"
"""The flag of a receipt with price modifiers of one piece, which count for each piece of the line."""

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


def _draft_line(
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
    )


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


def _void_line(drafts: list[DraftLine], entries: list[_Element], void: DraftLine, where: str) -> None:
    """Remove the line that `void` voids, or reduce the one of a larger quantity."""
    for index in range(len(drafts) - 1, -1, -1):
        line = drafts[index]
        if line.sku == void.sku and line.extended == -void.extended and line.quantity == -void.quantity:
            del drafts[index], entries[index]
            return
    for line in reversed(drafts):
        if line.sku == void.sku and line.extended > -void.extended and line.quantity > -void.quantity:
            line.quantity += void.quantity
            line.extended += void.extended
            return
    raise InvalidValue(f"voids a line of {-void.extended} that is not before it", place=where)


def _non_article(sku: str, name: str, value: Decimal) -> DraftLine:
    return DraftLine(sku, "", name, "", Decimal(1), value, frozenset(), frozenset(), [], [], is_article=False)


def rounding_line(value: Decimal) -> DraftLine:
    """The rounding of cash as an adjustment."""
    return _non_article("rounding", "Rounding", value)


def _void_linked(drafts: list[DraftLine], entries: list[_Element], void: DraftLine, target: str) -> bool:
    """Remove the line of this number, or reduce it by a smaller quantity; False where it is another article."""
    for index, line in enumerate(drafts):
        if (void.sku and line.sku != void.sku) or text(entries[index], "SequenceNumber") != target:
            continue
        if abs(void.quantity) < abs(line.quantity) and abs(void.extended) < abs(line.extended):
            side = -1 if line.extended < 0 else 1
            line.quantity -= side * abs(void.quantity)
            line.extended -= side * abs(void.extended)
        else:
            del drafts[index], entries[index]
        return True
    return False


def read_lines(
    retail: _Element, currency: str, settings: Settings, find_original: FindOriginal, *, by_link: bool = True
) -> tuple[list[DraftLine], tuple[str, ...]]:
    """The lines without voided ones, and flags; `find_original` gives the receipt a returned article was bought on.

    A line flagged as void that points at a line of its article takes that one back (Wincor), unless `by_link` is False.
    Else one with a negative amount voids an earlier line, and both are omitted (NCR); one with a positive amount is
    the voided line itself (ARTS). Raises InvalidValue for a line without an article, and for one that voids none.
    """
    names = settings.all_names
    drafts: list[DraftLine] = []
    entries: list[_Element] = []
    taken_back: set[str] = set()
    flags: tuple[str, ...] = ()
    completed = completes_layaway(retail)
    bought, returned = only(names["bought"]), only(names["returned"])
    for entry in children(retail, "LineItem"):
        voided = is_true(entry, "VoidFlag")
        for item in children(entry, *bought, *returned, *RESERVED):
            if local_name(item) in RESERVED and not sold(item):
                continue
            is_return = local_name(item) in returned
            draft = _draft_line(item, is_return, currency, settings, find_original)
            if not voided:
                if not draft.sku:
                    looked_for = written((*names["item"], *names["scanned"], *names["group"]))
                    raise InvalidValue(f"has no sku; looked for {looked_for}; `names` adds others", place=place(item))
                drafts.append(draft)
                entries.append(entry)
                continue
            target = (find_text(item, names["voids"]) or find_text(entry, names["voids"])) if by_link else ""
            taken_back.add(text(entry, "SequenceNumber"))
            if target and _void_linked(drafts, entries, draft, target):
                flags = (VOID_BY_LINK,) if draft.extended > 0 else flags
            elif target in taken_back:
                pass  # the line it points at is flagged itself
            elif draft.extended < 0 and not is_return:
                _void_line(drafts, entries, draft, place(item))
        if voided:
            continue
        others = [_non_article(*deposit) for deposit in deposits(entry, completes_layaway=completed)]
        others += [
            rounding_line(decimal(rounding, "Amount") or decimal(rounding) or ZERO)
            for rounding in children(entry, "Rounding")
        ]
        drafts += others
        entries += [entry] * len(others)
    if any(draft.by_piece for draft in drafts):
        flags = (*flags, DISCOUNT_BY_PIECE)
    return drafts, flags

"""Line items as the till wrote them, without voided ones; not yet taxed or balanced."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ZERO, round_money
from tillpost.kit.xml import amount, attribute, child, children, decimal, is_true, local_name, place, text
from tillpost.model import Discount
from tillpost_poslog.dialects import NON_ARTICLE_SIGNS, RESERVED, RETURNS, SALES
from tillpost_poslog.layaway import completes_layaway, deposits, sold
from tillpost_poslog.settings import Settings

FindOriginal = Callable[[_Element], str]


@attrs.frozen
class TaxEntry:
    """One Tax element: of a line, or of the whole transaction. `taxable` excludes the tax; None when not given."""

    name: str
    number: str
    amount: Decimal
    percent: Decimal | None
    taxable: Decimal | None


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


def tax_entry(tax: _Element, sign: int) -> TaxEntry:
    """A Tax element, its amount and base with the sign of the line."""
    value, taxable = amount(tax, "Amount"), decimal(tax, "TaxableAmount")
    base = child(tax, "TaxableAmount")
    if taxable is not None and base is not None and is_true(base, "TaxIncludedInTaxableAmountFlag"):
        taxable = abs(taxable) - abs(value)
    if sign < 0:
        value, taxable = -abs(value), None if taxable is None else -abs(taxable)
    name = attribute(tax, "TaxDescription") or text(tax, "TaxGroupID") or text(tax, "TaxAuthority")
    return TaxEntry(
        name=name or attribute(tax, "TaxType") or "tax",
        number=attribute(tax, "TaxID"),
        amount=value,
        percent=decimal(tax, "Percent"),
        taxable=taxable,
    )


def _modifiers(item: _Element, sign: int) -> list[Discount]:
    found = []
    for modifier in children(item, "RetailPriceModifier", "PriceModifier"):
        value = decimal(modifier, "Amount")
        if not value or is_true(modifier, "VoidFlag"):
            continue
        element = child(modifier, "Amount")
        action = attribute(element, "Action") if element is not None else ""
        value = abs(value) * sign * (1 if action == "Add" else -1)
        label = text(modifier, "PromotionID") or text(modifier, "ReasonCode")
        found.append(
            Discount(type="promotion" if text(modifier, "PromotionID") else "price", value=value, description=label)
        )
    return found


def _draft_line(item: _Element, currency: str, settings: Settings, find_original: FindOriginal) -> DraftLine:
    returned = local_name(item) in RETURNS
    quantity = decimal(item, "Quantity")
    if quantity is None:
        quantity = Decimal(1)
    extended = decimal(item, "ExtendedAmount")
    if extended is None:
        price = decimal(item, "ActualSalesUnitPrice")
        extended = round_money((amount(item, "RegularSalesUnitPrice") if price is None else price) * quantity, currency)
    if returned:  # the standard writes returns without a sign, some vendors with one
        quantity, extended = -abs(quantity), -abs(extended)
    no_article = NON_ARTICLE_SIGNS.get(attribute(item, "ItemType").rpartition(":")[2], 0)
    if no_article < 0:
        quantity, extended = abs(quantity), -abs(extended)
    sign = -1 if extended < 0 else 1
    ids = {"ItemID": text(item, "ItemID"), "POSItemID": text(item, "POSIdentity", "POSItemID")}
    number = ids["ItemID"] or ids["POSItemID"]
    group = text(item, "MerchandiseHierarchy")
    itemizers = child(item, "Itemizers")
    marks = itemizers.attrib.items() if itemizers is not None else ()
    return DraftLine(
        sku=ids[settings.sku] or number or group or (attribute(item, "ItemType") if no_article else ""),
        article_number=number,
        name=text(item, "Description"),
        group=group,
        quantity=quantity,
        extended=extended,
        reward_references=frozenset({text(item, "OperatorSequence")} - {"", "0"}),
        tax_numbers=frozenset(str(key)[3:] for key, on in marks if str(key).startswith("Tax") and on in ("true", "1")),
        taxes=[tax_entry(tax, sign) for tax in children(item, "Tax") if not is_true(tax, "VoidFlag")],
        modifiers=_modifiers(item, sign),
        is_article=not no_article,
        original=find_original(item) if quantity < 0 and not no_article else "",
    )


def _void_line(drafts: list[DraftLine], void: DraftLine, where: str) -> None:
    """Remove the line that `void` voids, or reduce the one of a larger quantity."""
    for index in range(len(drafts) - 1, -1, -1):
        line = drafts[index]
        if line.sku == void.sku and line.extended == -void.extended and line.quantity == -void.quantity:
            del drafts[index]
            return
    for line in reversed(drafts):
        if line.sku == void.sku and line.extended > -void.extended and line.quantity > -void.quantity:
            line.quantity += void.quantity
            line.extended += void.extended
            return
    raise InvalidValue(f"voids a line of {-void.extended} that is not before it", place=where)


def _non_article(sku: str, name: str, value: Decimal) -> DraftLine:
    return DraftLine(sku, "", name, "", Decimal(1), value, frozenset(), frozenset(), [], [], is_article=False)


def read_lines(retail: _Element, currency: str, settings: Settings, find_original: FindOriginal) -> list[DraftLine]:
    """The lines without voided ones; `find_original` gives the receipt a returned article was bought on.

    A line flagged as void with a negative amount voids an earlier line, and both are omitted (NCR); one with a
    positive amount is the voided line itself (ARTS).
    """
    drafts: list[DraftLine] = []
    completed = completes_layaway(retail)
    for entry in children(retail, "LineItem"):
        for item in children(entry, *SALES, *RETURNS, *RESERVED):
            if local_name(item) in RESERVED and not sold(item):
                continue
            draft = _draft_line(item, currency, settings, find_original)
            if not is_true(entry, "VoidFlag"):
                drafts.append(draft)
            elif draft.extended < 0 and local_name(item) in SALES:
                _void_line(drafts, draft, place(item))
        if is_true(entry, "VoidFlag"):
            continue
        drafts += [_non_article(*deposit) for deposit in deposits(entry, completes_layaway=completed)]
        for rounding in children(entry, "Rounding"):
            value = decimal(rounding, "Amount") or decimal(rounding) or ZERO
            drafts.append(_non_article("rounding", "Rounding", value))
    return drafts

"""Line items as the till wrote them, voids netted and reductions tied to their lines; not yet taxed or settled."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import round_money
from tillpost.kit.xml import amount, attribute, child, children, decimal, is_true, local_name, place, text
from tillpost.model import Discount
from tillpost_poslog.dialects import PUT_ASIDE, RETURNS, SALES
from tillpost_poslog.layaway import completing, deposit_sign, deposits, sold
from tillpost_poslog.settings import Settings

Originals = Callable[[_Element], str]


@attrs.frozen
class TaxEntry:
    """One Tax element: of a line, or of the whole transaction. `taxable` excludes the tax; None when not given."""

    name: str
    number: str
    amount: Decimal
    percent: Decimal | None
    taxable: Decimal | None


@attrs.define
class Draft:
    """One line: quantity and `extended` signed as they add to the total, before rewards."""

    sku: str
    article_number: str
    name: str
    group: str
    quantity: Decimal
    extended: Decimal
    references: frozenset[str]
    """What a reward may call this line: the operator's sequence."""
    taxed_by: frozenset[str]
    """Numbers of the taxes that are on this line, where the till says so (Itemizers Tax1="true")."""
    taxes: list[TaxEntry]
    modifiers: list[Discount]
    """Price modifiers of the line, which `extended` may have off already or not."""
    rewards: list[Discount] = attrs.field(factory=list)
    """Reductions that stand apart from the line: never off in `extended`."""
    shares: list[Discount] = attrs.field(factory=list)
    """Of discounts on the transaction, which may repeat what the modifiers of its lines say."""
    article: bool = True
    """Not so for a bottle's deposit, money paid on account, a rounding."""
    origin: str = ""
    """What a returned article was bought on."""

    def net(self, *, modifiers_apart: bool, shares_count: bool = True) -> Decimal:
        """What the line adds before tax."""
        apart = (*self.rewards, *(self.modifiers if modifiers_apart else ()), *(self.shares if shares_count else ()))
        return self.extended + sum((discount.value for discount in apart), Decimal(0))


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
        held = child(modifier, "Amount")
        action = attribute(held, "Action") if held is not None else ""
        value = abs(value) * sign * (1 if action == "Add" else -1)
        label = text(modifier, "PromotionID") or text(modifier, "ReasonCode")
        found.append(
            Discount(type="promotion" if text(modifier, "PromotionID") else "price", value=value, description=label)
        )
    return found


def _draft(item: _Element, currency: str, settings: Settings, originals: Originals) -> Draft:
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
    no_article = deposit_sign(attribute(item, "ItemType"))
    if no_article < 0:
        quantity, extended = abs(quantity), -abs(extended)
    sign = -1 if extended < 0 else 1
    ids = {"ItemID": text(item, "ItemID"), "POSItemID": text(item, "POSIdentity", "POSItemID")}
    number = ids["ItemID"] or ids["POSItemID"]
    group = text(item, "MerchandiseHierarchy")
    itemizers = child(item, "Itemizers")
    marks = itemizers.attrib.items() if itemizers is not None else ()
    return Draft(
        sku=ids[settings.sku] or number or group or (attribute(item, "ItemType") if no_article else ""),
        article_number=number,
        name=text(item, "Description"),
        group=group,
        quantity=quantity,
        extended=extended,
        references=frozenset({text(item, "OperatorSequence")} - {"", "0"}),
        taxed_by=frozenset(str(key)[3:] for key, on in marks if str(key).startswith("Tax") and on in ("true", "1")),
        taxes=[tax_entry(tax, sign) for tax in children(item, "Tax") if not is_true(tax, "VoidFlag")],
        modifiers=_modifiers(item, sign),
        article=not no_article,
        origin=originals(item) if quantity < 0 and not no_article else "",
    )


def _net_void(drafts: list[Draft], void: Draft, where: str) -> None:
    """Take a voided line and the one it voids out together (or what it voids off a larger quantity)."""
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


def _money(sku: str, name: str, value: Decimal) -> Draft:
    return Draft(sku, "", name, "", Decimal(1), value, frozenset(), frozenset(), [], [], article=False)


def read_lines(retail: _Element, currency: str, settings: Settings, originals: Originals) -> list[Draft]:
    """The lines that count; `originals` tells of a returned one what it was bought on.

    A flagged line with a negative amount is the second of a pair, and both go (NCR); a flagged one with a
    positive amount is the voided line itself (ARTS), and it goes alone.
    """
    drafts: list[Draft] = []
    completed = completing(retail)
    for entry in children(retail, "LineItem"):
        for item in children(entry, *SALES, *RETURNS, *PUT_ASIDE):
            if local_name(item) in PUT_ASIDE and not sold(item):
                continue
            draft = _draft(item, currency, settings, originals)
            if not is_true(entry, "VoidFlag"):
                drafts.append(draft)
            elif draft.extended < 0 and local_name(item) in SALES:
                _net_void(drafts, draft, place(item))
        if is_true(entry, "VoidFlag"):
            continue
        drafts += [_money(*each) for each in deposits(entry, completing=completed)]
        for rounding in children(entry, "Rounding"):
            off = decimal(rounding, "Amount") or decimal(rounding) or Decimal(0)
            drafts.append(_money("rounding", "Rounding", off))
    return drafts

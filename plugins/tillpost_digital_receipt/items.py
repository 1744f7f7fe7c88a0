"""Line items as the till wrote them: signed, with their reductions beside them, not yet settled."""

from __future__ import annotations

from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import MakeId, parse_decimal, round_money
from tillpost.kit.xml import amount, attribute, child, children, decimal, is_true, local_name, place, text
from tillpost.model import Discount, LineKind
from tillpost_digital_receipt.origin import original_receipt

# Element of an article → the sign of what it adds; the standard writes every amount without one.
ITEMS = {
    "Sale": 1,
    "SaleForDelivery": 1,
    "SaleForPickup": 1,
    "Return": -1,
    "ReturnForDelivery": -1,
    "ReturnForPickup": -1,
}
# ItemType of what is no article: a deposit (pant) taken, handed back, a fee handed back.
_NO_ARTICLES = {"Deposit": 1, "DepositRefund": -1, "FeeRefund": -1}
# Element of money that comes in for no article → its name, and where the amount stands.
_OTHERS = {
    "Deposit": ("Deposit", "Amount"),
    "PaymentOnAccount": ("Payment on account", "Amount"),
    "GiftCertificate": ("Gift certificate", "FaceValue"),
}
_GONE = ("Cancel", "Delete")


@attrs.define
class Draft:
    """One line: quantity and `amount` signed as they add to the total, tax in it.

    discounts: of the line itself, which `amount` may have off already or not.
    apart: the line's part of Discount line items, alike.
    tax, percent: as the line says, None where it does not.
    """

    kind: LineKind
    sku: str
    name: str
    quantity: Decimal
    amount: Decimal
    sequence: str
    group: str = ""
    tax: Decimal | None = None
    percent: Decimal | None = None
    discounts: list[Discount] = attrs.field(factory=list)
    apart: list[Discount] = attrs.field(factory=list)
    origin: str = ""


def counts(entry: _Element) -> bool:
    """Whether a LineItem was not taken back before the receipt was finished."""
    if not entry.attrib:
        return True
    flagged = any(is_true(entry, name) for name in ("CancelFlag", "DeleteFlag", "VoidFlag"))
    return not flagged and attribute(entry, "Action") not in _GONE


def kind_of(quantity: Decimal, paid: Decimal) -> LineKind:
    """What a line with these signs is."""
    if quantity >= 0 and paid >= 0:
        return LineKind.PURCHASE
    # Money back for a positive quantity (a rounding, a bottle handed back) is no returned article.
    return LineKind.RETURN if quantity < 0 and paid <= 0 else LineKind.ADJUSTMENT


def read_items(retail: _Element, currency: str, origin: str, make_id: MakeId) -> list[Draft]:
    """The lines that count. `origin`: what returned lines were bought on that do not say so themselves."""
    drafts: list[Draft] = []
    for entry in children(retail, "LineItem"):
        if not counts(entry):
            continue
        sequence = text(entry, "SequenceNumber")
        drafts += [_draft(item, sequence, currency, origin, make_id) for item in children(entry, *ITEMS)]
        for name, (label, where) in _OTHERS.items():
            for other in children(entry, name):
                value = amount(other, where)
                drafts.append(Draft(LineKind.ADJUSTMENT, name, label, Decimal(1), value, sequence, percent=Decimal(0)))
    return drafts


def _draft(item: _Element, sequence: str, currency: str, origin: str, make_id: MakeId) -> Draft:
    sign = ITEMS[local_name(item)]
    quantity, extended = _quantity(item, currency)
    kind = attribute(item, "ItemType")
    added = child(item, "ExtendedAmount")
    if sign < 0:
        quantity, extended = -abs(quantity), -abs(extended)
    elif added is not None and attribute(added, "Action") == "Subtract":
        extended = -abs(extended)
    if _NO_ARTICLES.get(kind, 1) < 0:
        quantity, extended = abs(quantity), -abs(extended)
    line_sign = -1 if extended < 0 else 1
    number, group = _identity(item)
    tax = child(item, "Tax")
    value = decimal(tax, "Amount") if tax is not None else None
    draft_kind = LineKind.ADJUSTMENT if kind in _NO_ARTICLES else kind_of(quantity, extended)
    return Draft(
        kind=draft_kind,
        sku=number or group or kind or text(item, "Description"),
        name=text(item, "Description"),
        quantity=quantity,
        amount=extended,
        sequence=sequence,
        group=group,
        tax=None if value is None else abs(value) * line_sign,
        percent=decimal(tax, "Percent") if tax is not None else None,
        discounts=_discounts(item, quantity, line_sign),
        origin=(original_receipt(item, make_id) or origin) if draft_kind is LineKind.RETURN else "",
    )


def _quantity(item: _Element, currency: str) -> tuple[Decimal, Decimal]:
    """How many pieces, and what they come to, as written.

    Quantity counts packs of Units pieces, by the standard; Swedish tills write two pieces as one pack of two with the
    price of a piece. The price that gives the amount of the line decides.
    """
    packs = decimal(item, "Quantity")
    packs = Decimal(1) if packs is None else packs
    held = child(item, "Quantity")
    written = attribute(held, "Units") if held is not None else ""
    units = parse_decimal(written, f"{place(item)}/Quantity Units") if written else Decimal(1)
    price = decimal(item, "ActualSalesUnitPrice")
    if price is None:
        price = decimal(item, "RegularSalesUnitPrice")
    extended = decimal(item, "ExtendedAmount")
    if extended is None:
        if price is None:
            raise InvalidValue("ExtendedAmount and ActualSalesUnitPrice are missing, one is needed", place=place(item))
        return packs, round_money(price * packs, currency)
    if price is not None and price * packs != extended and price * packs * units == extended:
        return packs * units, extended
    return packs, extended


def _identity(item: _Element) -> tuple[str, str]:
    """The article's number, and its group: a POSIdentity with a type names a group."""
    numbers = [text(item, "ItemID")]
    groups: dict[str, str] = {}
    for identity in children(item, "POSIdentity"):
        kind, number = attribute(identity, "POSIDType"), text(identity, "POSItemID")
        if kind.lower().endswith("group"):
            groups[kind] = text(identity, "Qualifier") or number
        else:
            numbers.append(number)
    group = groups.get("articleGroup") or next(iter(groups.values()), "") or text(item, "MerchandiseHierarchy")
    return next((number for number in numbers if number), ""), group


def _discounts(item: _Element, quantity: Decimal, sign: int) -> list[Discount]:
    """What the line says was taken off; the sums of the item repeat what its price modifiers say."""
    found = []
    for modifier in children(item, "RetailPriceModifier"):
        value, held = decimal(modifier, "Amount"), child(modifier, "Amount")
        action = attribute(held, "Action") if held is not None else ""
        if value and action != "Replace":
            value = abs(value) * sign * (1 if action == "Add" else -1)
            label = text(modifier, "PromotionID") or text(modifier, "ReasonCode") or text(modifier, "Description")
            found.append(Discount(type="price", value=value, description=label))
    if found:
        return found
    whole = decimal(item, "ExtendedDiscountAmount")
    if whole is None:
        whole = (decimal(item, "DiscountAmount") or Decimal(0)) * abs(quantity)
    return [Discount(type="price", value=-abs(whole) * sign)] if whole else []

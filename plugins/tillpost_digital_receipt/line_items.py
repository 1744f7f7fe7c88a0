"""Line items as the till wrote them: signed, with their discounts, not yet balanced."""

from __future__ import annotations

from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ZERO, MakeId, line_kind, parse_date, parse_decimal, round_money
from tillpost.kit.xml import amount, attribute, child, children, decimal, is_true, local_name, place, text
from tillpost.model import Discount, LineKind

# Element of an article → the sign of its amount; the standard writes amounts without one.
ITEMS = {
    "Sale": 1,
    "SaleForDelivery": 1,
    "SaleForPickup": 1,
    "Return": -1,
    "ReturnForDelivery": -1,
    "ReturnForPickup": -1,
}
# ItemType that is not an article → the sign of its amount: a deposit (pant), one handed back, a fee handed back.
_NON_ARTICLE_SIGNS = {"Deposit": 1, "DepositRefund": -1, "FeeRefund": -1}
_DEPOSITS = ("Deposit", "DepositRefund")
# Element of money that is for no article → its name, and the element of its amount.
_OTHER_MONEY = {
    "Deposit": ("Deposit", "Amount"),
    "PaymentOnAccount": ("Payment on account", "Amount"),
    "GiftCertificate": ("Gift certificate", "FaceValue"),
}
_VOID_ACTIONS = ("Cancel", "Delete")
_DAY = ("BusinessDayDate", "Date")


@attrs.define
class DraftLine:
    """One line: quantity and `amount` signed as they add to the total, `amount` with its tax.

    discounts: of the line item itself, which may be taken off in `amount` already.
    receipt_discounts: its shares of Discount line items, which may be taken off in `amount` already.
    tax, percent: of the line item, None where it has none.
    original: the receipt a returned article was bought on.
    parent: the sequence number of the line a deposit belongs to.
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
    receipt_discounts: list[Discount] = attrs.field(factory=list)
    original: str = ""
    parent: str = ""


def is_voided(entry: _Element) -> bool:
    """Whether a LineItem was cancelled, deleted or voided before the receipt was finished."""
    if not entry.attrib:
        return False
    flagged = any(is_true(entry, name) for name in ("CancelFlag", "DeleteFlag", "VoidFlag"))
    return flagged or attribute(entry, "Action") in _VOID_ACTIONS


def named_deposits(retail: _Element) -> dict[str, Decimal]:
    """The deposits that lines name as their own (RecyclingAmount), by sequence number and with the line's sign."""
    return {
        text(entry, "SequenceNumber"): abs(value) * ITEMS[local_name(item)]
        for entry in children(retail, "LineItem")
        if not is_voided(entry)
        for item in children(entry, *ITEMS)
        if (value := decimal(item, "RecyclingAmount"))
    }


def linked_voids(retail: _Element) -> set[str]:
    """The sequence numbers of the lines that voided line items point at."""
    voids = [entry for entry in children(retail, "LineItem") if is_voided(entry)]
    links = (link for entry in voids for part in (entry, *entry) for link in children(part, "ItemLink"))
    return {number for link in links if (number := text(link))}


def read_items(retail: _Element, currency: str, original: str, make_id: MakeId) -> list[DraftLine]:
    """The lines without voided ones. `original`: for returned lines that name no receipt they were bought on."""
    drafts: list[DraftLine] = []
    for entry in children(retail, "LineItem"):
        if is_voided(entry):
            continue
        sequence = text(entry, "SequenceNumber")
        drafts += [_draft_line(item, sequence, currency, original, make_id) for item in children(entry, *ITEMS)]
        for name, (label, amount_name) in _OTHER_MONEY.items():
            for other in children(entry, name):
                value = amount(other, amount_name)
                drafts.append(DraftLine(LineKind.ADJUSTMENT, name, label, Decimal(1), value, sequence, percent=ZERO))
    return drafts


def original_receipt(holder: _Element, make_id: MakeId) -> str:
    """The original of a return: its receipt id where the link has store, till, day and number; else its receipt code
    or transaction id; "" when there is none."""
    links = [link for link in children(holder, "TransactionLink") if attribute(link, "ReasonCode") in ("", "Return")]
    if linked := next(filter(None, (linked_id(link, make_id) for link in links)), ""):
        return linked
    codes = [text(holder, "ReceiptCodeLink"), *(text(link, "TransactionID") for link in links)]
    return next((code for code in codes if code), "")


def linked_id(link: _Element, make_id: MakeId) -> str:
    """The receipt id of a linked transaction; "" where the link lacks its day or number."""
    day, sequence = text(link, *_DAY) or text(link, "BusinessDayDate"), text(link, "SequenceNumber")
    if not day or not sequence:
        return ""
    try:
        return make_id(
            store=text(link, "BusinessUnit", "UnitID") or text(link, "BusinessUnit"),
            till=text(link, "WorkstationID"),
            business_date=parse_date(day, "TransactionLink/BusinessDayDate"),
            number=sequence,
        )
    except InvalidValue:
        return ""


def _draft_line(item: _Element, sequence: str, currency: str, original: str, make_id: MakeId) -> DraftLine:
    sign = ITEMS[local_name(item)]
    quantity, extended = _quantity(item, currency)
    kind = attribute(item, "ItemType")
    extended_element = child(item, "ExtendedAmount")
    if sign < 0:
        quantity, extended = -abs(quantity), -abs(extended)
    elif extended_element is not None and attribute(extended_element, "Action") == "Subtract":
        extended = -abs(extended)
    if _NON_ARTICLE_SIGNS.get(kind, 1) < 0:
        quantity, extended = abs(quantity), -abs(extended)
    line_sign = -1 if extended < 0 else 1
    number, group = _identity(item)
    tax = child(item, "Tax")
    value = decimal(tax, "Amount") if tax is not None else None
    draft_kind = LineKind.ADJUSTMENT if kind in _NON_ARTICLE_SIGNS else line_kind(quantity, extended)
    return DraftLine(
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
        original=(original_receipt(item, make_id) or original) if draft_kind is LineKind.RETURN else "",
        parent=(text(item, "ItemLink") or text(item.getparent(), "ItemLink")) if kind in _DEPOSITS else "",
    )


def _quantity(item: _Element, currency: str) -> tuple[Decimal, Decimal]:
    """The number of pieces, and their amount, as written.

    By the standard Quantity counts packs of Units pieces; Swedish tills write two pieces as one pack of two with the
    price of a piece. The reading is taken in which price times quantity is the amount of the line.
    """
    packs = decimal(item, "Quantity")
    packs = Decimal(1) if packs is None else packs
    element = child(item, "Quantity")
    written = attribute(element, "Units") if element is not None else ""
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
    """The article's number and its group; a POSIdentity whose type ends in "group" names a group."""
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
    """The discounts of a line: its price modifiers, else the sum of its discounts, which repeats them."""
    found = []
    for modifier in children(item, "RetailPriceModifier"):
        value, element = decimal(modifier, "Amount"), child(modifier, "Amount")
        action = attribute(element, "Action") if element is not None else ""
        if value and action != "Replace":
            value = abs(value) * sign * (1 if action == "Add" else -1)
            label = text(modifier, "PromotionID") or text(modifier, "ReasonCode") or text(modifier, "Description")
            found.append(Discount(type="price", value=value, description=label))
    if found:
        return found
    whole = decimal(item, "ExtendedDiscountAmount")
    if whole is None:
        whole = (decimal(item, "DiscountAmount") or ZERO) * abs(quantity)
    return [Discount(type="price", value=-abs(whole) * sign)] if whole else []

"""The lines of an R-Series sale, and its taxes, rounded as the sale rounds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import TAX_OFF, ZERO, Reading, XmlJsonObject, first_reading, line_kind, round_lines, round_money, tax
from tillpost.model import Discount, Line, LineKind, Tax
from tillpost_lightspeed.settings import Settings

RECOMPUTED = "line-totals-recomputed"
"""The flag of a receipt whose lines' calcTotal do not sum to its total, but price, discounts and taxes do."""
LEFT_OUT = "layaway-left-out"
"""The flag of a receipt without the lines that are put back or ordered, which are not in its total."""
SIGN_BY_QUANTITY = "sign-by-quantity"
"""The flag of a receipt with a line whose amount has another sign than its quantity; the quantity's is taken."""
SIGN_BY_AMOUNT = "sign-by-amount"
"""The flag of a receipt with a line whose quantity has another sign than its amount; the amount's is taken."""


@attrs.frozen
class Draft:
    """A line before it is rounded: amounts as written, with up to seven digits behind the point."""

    item: XmlJsonObject
    quantity: Decimal
    gross: Decimal
    taxes: tuple[Decimal, Decimal]
    discounts: tuple[Decimal, Decimal]


def read_lines(
    sale: XmlJsonObject, total: Decimal, settings: Settings
) -> tuple[tuple[Line, ...], tuple[Tax, ...], tuple[str, ...]]:
    """The lines that sum to the total, the taxes, and the flags. Raises InvalidValue with the difference if none do."""
    items = [item for item in sale.within("SaleLines", "SaleLine") if not _is_card_of_gift(item, sale)]
    (lines, taxes, tax_flags), flags = first_reading(_readings(sale, items, total, settings))
    signs = any(line.quantity * line.paid < 0 for line in lines)
    if signs:
        lines = tuple(_signed_by_amount(line) for line in lines)
    return lines, taxes, (*flags, *tax_flags, *((SIGN_BY_AMOUNT,) if signs else ()))


_Lines = tuple[tuple[Line, ...], tuple[Tax, ...], tuple[str, ...]]


def _readings(
    sale: XmlJsonObject, items: Sequence[XmlJsonObject], total: Decimal, settings: Settings
) -> Iterator[Reading[_Lines]]:
    def reading(
        said: str, gross: Callable[[XmlJsonObject], Decimal], of: Sequence[XmlJsonObject], flag: str
    ) -> Reading[_Lines]:
        def make() -> _Lines:
            return _lines(sale, [_draft(item, gross(item)) for item in of], total, settings)

        return Reading(said, make, flag)

    written = all(_is_written(item, "calcTotal") for item in items)
    recomputed = RECOMPUTED if written else ""
    if written:
        yield reading("calcTotal of the lines", lambda item: item.decimal("calcTotal"), items, "")
    yield reading("prices, less discounts, tax on top", lambda item: _net(item) + sum(_taxes(item)), items, recomputed)
    yield reading("prices, less discounts, tax inside", _net, items, recomputed)
    if written:
        sold = [item for item in items if not (item.boolean("isLayaway") or item.boolean("isSpecialOrder"))]
        if len(sold) < len(items):
            yield reading("without layaways and special orders", lambda item: item.decimal("calcTotal"), sold, LEFT_OUT)
        yield reading("amounts with the sign of their quantity", _by_quantity, items, SIGN_BY_QUANTITY)


def _is_written(item: XmlJsonObject, name: str) -> bool:
    return item.values.get(name) not in (None, "")


def _quantity(item: XmlJsonObject) -> Decimal:
    return item.decimal("unitQuantity")


def _subtotal(item: XmlJsonObject) -> Decimal:
    return (
        item.decimal("calcSubtotal")
        if _is_written(item, "calcSubtotal")
        else item.decimal("unitPrice") * _quantity(item)
    )


def _net(item: XmlJsonObject) -> Decimal:
    return _subtotal(item) - sum(_discounts(item))


def _discounts(item: XmlJsonObject) -> tuple[Decimal, Decimal]:
    return item.decimal("calcLineDiscount", ZERO), item.decimal("calcTransactionDiscount", ZERO)


def _taxes(item: XmlJsonObject) -> tuple[Decimal, Decimal]:
    return item.decimal("calcTax1", ZERO), item.decimal("calcTax2", ZERO)


def _by_quantity(item: XmlJsonObject) -> Decimal:
    return abs(item.decimal("calcTotal")).copy_sign(_quantity(item))


def _draft(item: XmlJsonObject, gross: Decimal) -> Draft:
    taxes, discounts = _taxes(item), _discounts(item)
    sign = -1 if gross * sum(taxes) < 0 else 1
    return Draft(item, _quantity(item), gross, (sign * taxes[0], sign * taxes[1]), discounts)


def _is_card_of_gift(item: XmlJsonObject, sale: XmlJsonObject) -> bool:
    """Whether a line only stands for a deposit: it costs nothing, and a payment names it as its own."""
    if item.decimal("calcTotal", ZERO) or item.decimal("unitPrice", ZERO) or item.text("itemID", "0") != "0":
        return False
    number = item.text("saleLineID", "")
    return any(
        account.text("saleLineID", "") == number
        for payment in sale.within("SalePayments", "SalePayment")
        for account in payment.within("SaleAccounts", "SaleAccount")
    )


def _lines(sale: XmlJsonObject, drafts: Sequence[Draft], total: Decimal, settings: Settings) -> _Lines:
    """The lines to the minor unit. Tax on top is rounded in the sale's sum, and so are the amounts before it."""
    currency = settings.currency
    shares, flags = [], set[str]()
    for number, name in enumerate(("calcTax1", "calcTax2")):
        amounts = [draft.taxes[number] for draft in drafts]
        try:
            share = round_lines(sale.decimal(name, sum(amounts, ZERO)), amounts, currency)
        except InvalidValue:
            share = tuple(round_money(amount, currency) for amount in amounts)
            flags.add(TAX_OFF)
        shares.append(share)
    taxes = [sum(pair, ZERO) for pair in zip(*shares, strict=True)]
    grosses = [draft.gross for draft in drafts]
    nets = [draft.gross - sum(draft.taxes, ZERO) for draft in drafts]
    on_top = not sale.boolean("isTaxInclusive")
    if on_top:
        try:
            bases = round_lines(total - sum(taxes, ZERO), nets, currency)
            paid = [base + amount for base, amount in zip(bases, taxes, strict=True)]
        except InvalidValue:
            on_top = False
    if not on_top:
        paid = list(round_lines(total, grosses, currency))
    lines = []
    for index, (draft, amount) in enumerate(zip(drafts, paid, strict=True)):
        before = nets[index] if on_top else grosses[index]
        after = amount - taxes[index] if on_top else amount
        lines.append(_line(draft, amount, taxes[index], before, after, settings))
    return tuple(lines), _sale_taxes(sale, drafts, shares, lines), tuple(sorted(flags))


def _line(
    draft: Draft, paid: Decimal, tax_amount: Decimal, exact: Decimal, rounded: Decimal, settings: Settings
) -> Line:
    """exact, rounded: what the discounts were taken from to give, before and after it was rounded."""
    item, article = draft.item, draft.item.object_or_empty("Item")
    keys = (settings.sku, "customSku", "systemSku", "manufacturerSku", "upc", "ean", "itemID")
    number = item.text("itemID", "")
    sku = next((text for key in keys if (text := article.text(key, ""))), "") or ("" if number == "0" else number)
    rates = [
        item.decimal(name, ZERO) for name, amount in zip(("tax1Rate", "tax2Rate"), draft.taxes, strict=True) if amount
    ]
    note = item.object_or_empty("Note")
    parent = item.text("parentSaleLineID", "")
    is_fee = not sku and item.text("itemFeeID", "0") not in ("", "0")  # such as the deposit on a bottle
    return Line(
        kind=line_kind(draft.quantity, paid) if draft.quantity and not is_fee else LineKind.ADJUSTMENT,
        sku=sku or ("fee" if is_fee else "workorder" if item.boolean("isWorkorder") else "misc"),
        quantity=draft.quantity,
        paid=paid,
        tax_amount=tax_amount,
        tax_percent=sum(rates, ZERO) * 100,
        article_number=article.text("systemSku", "") or ("" if number == "0" else number),
        article_name=article.text("description", "") or (note.text("note", "") if note.boolean("isPublic") else ""),
        article_group=article.object_or_empty("Category").text("name", ""),
        discounts=tuple(_line_discounts(draft, exact, rounded, settings.currency)),
        extra={"originalLine": parent} if draft.quantity < 0 and parent not in ("", "0") else {},
    )


def _line_discounts(draft: Draft, exact: Decimal, rounded: Decimal, currency: str) -> Iterator[Discount]:
    """The discount of the line and its share of the sale's; with what was paid they give the price before them."""
    own, shared = draft.discounts
    if not (own or shared):
        return
    off = round_money(exact + own + shared, currency) - rounded
    own = round_money(own, currency) if shared else off
    if own:
        yield Discount(type="discount", value=-own, description=draft.item.object_or_empty("Discount").text("name", ""))
    if off - own:
        yield Discount(type="discount", value=own - off)


def _sale_taxes(
    sale: XmlJsonObject, drafts: Sequence[Draft], shares: Sequence[Sequence[Decimal]], lines: Sequence[Line]
) -> tuple[Tax, ...]:
    """One tax a name and rate, on the sum of the lines that have it."""
    names = sale.object_or_empty("TaxCategory")
    found: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
    for number in (1, 2):
        label = names.text(f"tax{number}Name", "") or f"tax {number}"
        for draft, amount, line in zip(drafts, shares[number - 1], lines, strict=True):
            if draft.taxes[number - 1]:
                key = label, draft.item.decimal(f"tax{number}Rate", ZERO) * 100
                before, base = found.get(key, (ZERO, ZERO))
                found[key] = before + amount, base + line.paid - line.tax_amount
    return tuple(tax(label, rate, amount, base) for (label, rate), (amount, base) in found.items())


def _signed_by_amount(line: Line) -> Line:
    if line.quantity * line.paid >= 0:
        return line
    quantity = -line.quantity
    return attrs.evolve(line, quantity=quantity, kind=line_kind(quantity, line.paid))

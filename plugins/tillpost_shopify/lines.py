"""Lines of an order or a refund, before their tax is added."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject, spread, tax
from tillpost.model import Discount, Line, LineKind, Tax
from tillpost_shopify.money import Money


@attrs.frozen
class TaxEntry:
    """One tax of a line, with the line's sign."""

    title: str
    percent: Decimal
    amount: Decimal


@attrs.frozen
class Article:
    """The article of a line; `group` only where Shopify distinguishes it (giftcard, tip, shipping …)."""

    sku: str
    number: str = ""
    name: str = ""
    group: str = ""


@attrs.define(kw_only=True)
class DraftLine:
    """One line: `quantity` and `net` signed as they add to the total; `net` has its discounts taken off.

    item: the id of its line item; "" for what is no line item.
    """

    kind: LineKind
    article: Article
    quantity: Decimal
    net: Decimal
    taxable: bool = True
    taxes: list[TaxEntry] = attrs.field(factory=list)
    discounts: tuple[Discount, ...] = ()
    original: str = ""
    item: str = ""

    @property
    def tax(self) -> Decimal:
        """All taxes of the line."""
        return sum((entry.amount for entry in self.taxes), ZERO)

    def paid(self, *, on_top: bool) -> Decimal:
        """What the line adds to the total, with its tax."""
        return self.net + self.tax if on_top else self.net

    def line(self, *, on_top: bool) -> Line:
        """As a line of the receipt, tax in `paid`. Raises InvalidValue."""
        return Line(
            kind=self.kind,
            sku=self.article.sku,
            quantity=self.quantity,
            paid=self.paid(on_top=on_top),
            tax_amount=self.tax,
            tax_percent=sum((entry.percent for entry in self.taxes), ZERO),
            article_number=self.article.number,
            article_name=self.article.name,
            article_group=self.article.group,
            discounts=self.discounts,
            extra={"originalReceipt": self.original} if self.original else {},
        )


def adjustment(sku: str, net: Decimal, name: str = "") -> DraftLine:
    """A line of money for no article."""
    article = Article(sku, name=name, group=sku)
    return DraftLine(kind=LineKind.ADJUSTMENT, article=article, quantity=Decimal(1), net=net, taxable=False)


def sum_paid(drafts: Iterable[DraftLine], *, on_top: bool) -> Decimal:
    """What the lines sum to, with their tax."""
    return sum((draft.paid(on_top=on_top) for draft in drafts), ZERO)


def percent(entry: JsonObject) -> Decimal:
    """The rate of a tax line, 0.25 for 25 %; `rate_percentage` where there is no rate."""
    rate = entry.decimal("rate", ZERO)
    return rate * 100 if rate else entry.decimal("rate_percentage", ZERO)


def tax_entries(item: JsonObject, money: Money) -> list[TaxEntry]:
    """The taxes of a line, or of a whole order."""
    return [
        TaxEntry(entry.text("title", "tax"), percent(entry), money.read(entry, "price"))
        for entry in item.objects("tax_lines")
    ]


def discounts(item: JsonObject, order: JsonObject, money: Money) -> tuple[Discount, ...]:
    """The discounts allocated to this line, each with the name of its application.

    `total_discount` is taken only without allocations: Shopify has the same money in both.
    """
    applications = order.objects("discount_applications")
    found = []
    for allocation in item.objects("discount_allocations"):
        value = money.read(allocation, "amount")
        index = int(allocation.decimal("discount_application_index", Decimal(-1)))
        named = applications[index] if 0 <= index < len(applications) else allocation.object("discount_application")
        labels = (named.text(key, "") for key in ("code", "title", "description")) if named is not None else iter(())
        label = next(filter(None, labels), "")
        if value:
            found.append(Discount(type="discount", value=-value, description=label))
    if not item.has("discount_allocations"):
        value = money.read(item, "total_discount", ZERO)
        if value:
            found.append(Discount(type="discount", value=-value))
    return tuple(found)


def article(item: JsonObject) -> Article:
    """The article by its sku, else its variant, its product, or its title (a custom sale)."""
    names = (item.text(key, "") for key in ("sku", "variant_id", "product_id", "title"))
    return Article(
        sku="tip" if is_tip(item) else next(filter(None, names), "custom"),
        number=item.text("product_id", ""),
        name=item.text("name", "") or item.text("title", ""),
        group="tip" if is_tip(item) else "giftcard" if item.boolean("gift_card") else "",
    )


def is_tip(item: JsonObject) -> bool:
    """Whether a line item is the customer's tip."""
    return item.has("tip_payment_gateway") or item.has("tip_payment_method")


def spread_taxes(drafts: list[DraftLine], entries: list[TaxEntry], currency: str) -> None:
    """Spread taxes of the whole order over the lines that are taxed."""
    taxed = [draft for draft in drafts if draft.taxable and draft.net]
    for entry in entries:
        if entry.amount and not taxed:
            raise InvalidValue(f"no line is taxed, but the order has a tax of {entry.amount}", place="tax_lines")
        shares = spread(entry.amount, [draft.net for draft in taxed], currency) if taxed else ()
        for draft, share in zip(taxed, shares, strict=True):
            draft.taxes.append(TaxEntry(entry.title, entry.percent, share))


def order_taxes(drafts: list[DraftLine], *, on_top: bool) -> tuple[Tax, ...]:
    """One Tax a title and rate, on the sum of the lines that have it."""
    found: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
    for draft in drafts:
        base = draft.net if on_top else draft.net - draft.tax
        for entry in draft.taxes:
            amount, before = found.get((entry.title, entry.percent), (ZERO, ZERO))
            found[entry.title, entry.percent] = (amount + entry.amount, before + base)
    return tuple(tax(title, rate, amount, base) for (title, rate), (amount, base) in found.items())

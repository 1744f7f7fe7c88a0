"""What one customer buys: lines, discounts, taxes and tenders."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from random import Random

import attrs

from tillpost.kit import round_money, spread
from tillpost.model import Discount, Line, LineKind, Tax, Tender
from tillpost_demo.catalogue import ARTICLES, Article


@attrs.frozen
class Basket:
    """Lines, tenders and taxes that add up, and the promotions that were used."""

    lines: tuple[Line, ...]
    tenders: tuple[Tender, ...]
    taxes: tuple[Tax, ...]
    promotions: tuple[str, ...]


def make_basket(random: Random, currency: str) -> Basket:
    """A sale, sometimes a return or an exchange, with the discounts and tenders that go with it."""
    share = random.random()
    bought = [] if share < 0.05 else random.sample(ARTICLES, random.choice((1, 1, 2, 2, 3, 3, 4, 6, 9)))
    lines = [_purchase(random, article, currency) for article in bought]
    if share < 0.10:
        returned = random.choice([article for article in ARTICLES if not article.weighed])
        lines.append(_line(returned, LineKind.RETURN, Decimal(-1), -returned.price, currency, ()))
    promotions: tuple[str, ...] = ()
    if share >= 0.85:
        lines, promotions = _off_the_receipt(lines, currency), ("WINTER10",)
    taxes = _taxes(lines)
    total = sum((line.paid for line in lines), Decimal(0))
    tenders, rounding = _pay(random, total)
    if rounding:
        lines.append(Line(kind=LineKind.ADJUSTMENT, sku="ROUNDING", quantity=Decimal(1), paid=rounding,
                          article_number="ROUNDING", article_name="Cash rounding"))  # fmt: skip
    return Basket(tuple(lines), tenders, taxes, promotions)


def _tax(paid: Decimal, percent: Decimal, currency: str) -> Decimal:
    return round_money(paid * percent / (100 + percent), currency)


def _line(
    article: Article, kind: LineKind, quantity: Decimal, paid: Decimal, currency: str, discounts: tuple[Discount, ...]
) -> Line:
    return Line(
        kind=kind,
        sku=article.sku,
        quantity=quantity,
        paid=paid,
        tax_amount=_tax(paid, article.tax, currency),
        tax_percent=article.tax,
        article_number=article.sku,
        article_name=article.name,
        article_group=article.group,
        discounts=discounts,
    )


def _purchase(random: Random, article: Article, currency: str) -> Line:
    quantity = Decimal(random.randint(120, 2400)) / 1000 if article.weighed else Decimal(random.choice((1, 1, 1, 2, 3)))
    paid = round_money(article.price * quantity, currency)
    discounts: tuple[Discount, ...] = ()
    if random.random() < 0.15:
        off = round_money(paid * random.choice((10, 20, 30)) / 100, currency)
        discounts = (Discount(type="campaign", value=-off, description="Week's offer"),)
        paid -= off
    return _line(article, LineKind.PURCHASE, quantity, paid, currency, discounts)


def _off_the_receipt(lines: list[Line], currency: str) -> list[Line]:
    # Spread over the lines so that each shows what was really paid (Engage contract, "save a receipt").
    whole = round_money(sum((line.paid for line in lines), Decimal(0)) / 10, currency)
    shares = spread(whole, [line.paid for line in lines], currency)
    return [
        attrs.evolve(
            line,
            paid=line.paid - share,
            tax_amount=_tax(line.paid - share, line.tax_percent, currency),
            discounts=(*line.discounts, Discount(type="receipt", value=-share, description="Winter 10 %")),
        )
        for line, share in zip(lines, shares, strict=True)
    ]


def _taxes(lines: list[Line]) -> tuple[Tax, ...]:
    taxes = []
    for percent in sorted({line.tax_percent for line in lines}):
        of_rate = [line for line in lines if line.tax_percent == percent]
        amount = sum((line.tax_amount for line in of_rate), Decimal(0))
        paid = sum((line.paid for line in of_rate), Decimal(0))
        taxes.append(Tax(description=f"VAT {percent} %", percent=percent, amount=amount, including_tax=paid,
                        excluding_tax=paid - amount))  # fmt: skip
    return tuple(taxes)


def _pay(random: Random, total: Decimal) -> tuple[tuple[Tender, ...], Decimal]:
    """The tenders, and by how much cash rounds the total: there are no coins below 1 krona."""
    share = random.random()
    if total > 300 and share < 0.12:
        gift = Decimal(random.choice((100, 200, 250)))
        return (Tender(type="giftcard", amount=gift), Tender(type="card", amount=total - gift)), Decimal(0)
    if total > 0 and share < 0.30:
        due = total.quantize(Decimal(1), rounding=ROUND_HALF_UP)
        given = (due / 100).to_integral_value(ROUND_CEILING) * 100
        change = () if given == due else (Tender(type="cash", amount=due - given, description="change"),)
        return (Tender(type="cash", amount=given), *change), (due - total).quantize(Decimal("0.01"))
    kind = "swish" if total > 0 and share < 0.45 else "card"
    return (Tender(type=kind, amount=total),), Decimal(0)

"""The ways an order can be meant, the plain one first: edits, exchanges, tips, the rounding of cash, what was paid.

Each is tried only when those before it do not add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject
from tillpost.model import Tender
from tillpost_shopify.edits import (
    EDITED,
    EXCHANGE,
    as_current,
    exchanged_for_money,
    moved_without_money,
    refunded_money,
    with_moves,
)
from tillpost_shopify.lines import DraftLine, adjustment, sum_paid
from tillpost_shopify.money import Money
from tillpost_shopify.settings import Settings
from tillpost_shopify.tenders import (
    ROUNDING_IN_TENDER,
    order_payments,
    order_tenders,
    rounding,
    tender_by_gateway,
)

ROUNDING_UNPAID = "rounding-unpaid"
"""The flag of a receipt whose order names a rounding of cash that nobody paid."""
TIP_IN_LINE = "tip-in-line"
"""The flag of a receipt whose tip stands in `total_tip_received` and in an ordinary line: it is read once."""
TIP_ON_TOP = "tip-on-top"
"""The flag of a receipt whose tip was paid and is not in `total_price`."""


@attrs.frozen(kw_only=True)
class Way:
    """One way to read an order: `said` is what it takes for true, as a phrase for messages."""

    said: str
    drafts: list[DraftLine]
    total: Decimal
    tenders: tuple[Tender, ...]
    flags: tuple[str, ...]


@attrs.frozen
class _Content:
    """Lines of the order, the totals of the record that they may come to, and the rounding of cash among them."""

    said: str
    drafts: list[DraftLine]
    totals: tuple[Decimal, ...]
    flags: tuple[str, ...] = ()
    rounding: Decimal = ZERO

    def also(self, said: str, flag: str) -> tuple[str, tuple[str, ...]]:
        """The phrase and the flags with one more of each."""
        return f"{self.said}, {said}" if self.said else said, (*self.flags, flag)


def ways(order: JsonObject, drafts: list[DraftLine], money: Money, settings: Settings) -> Iterator[Way]:
    """Every way to read the order. Raises InvalidValue when the body does not say what was paid."""
    return _Order(order, drafts, money, settings).ways()


class _Order:
    """An order whose parts were read once."""

    def __init__(self, order: JsonObject, drafts: list[DraftLine], money: Money, settings: Settings) -> None:
        self.order, self.drafts, self.money, self.more = order, drafts, money, settings.tenders
        self.transactions, self.refunds = order.objects("transactions"), order.objects("refunds")
        self.payments = order_payments(self.transactions)
        self.on_top = not order.boolean("taxes_included")
        self.paid = self._paid()

    def ways(self) -> Iterator[Way]:
        for content in self._contents():
            for tipped in self._tips(content):
                for rounded in self._roundings(tipped):
                    for total in dict.fromkeys(rounded.totals):
                        for said, tenders, flags in self._tenders(rounded, total):
                            yield Way(
                                said=said or "as it stands",
                                drafts=rounded.drafts,
                                total=total,
                                tenders=tenders,
                                flags=flags,
                            )

    def _paid(self) -> Decimal | None:
        """What was paid, without the rounding of cash, where that is told by no transaction; None where by nothing.

        The current total is what the order comes to after edits and refunds; what is outstanding of it was not paid,
        and what was refunded had been.
        """
        if self.transactions or not self.money.has(self.order, "current_total_price"):
            return None
        refunded = refunded_money(self.refunds, self.money)
        told = self.money.has(self.order, "total_outstanding")
        if not told and (refunded or self.order.text("financial_status", "") != "paid"):
            return None
        outstanding = self.money.read(self.order, "total_outstanding", ZERO)
        return self.money.read(self.order, "current_total_price") - outstanding + refunded

    def _contents(self) -> Iterator[_Content]:
        total = self.money.read(self.order, "total_price")
        moves = moved_without_money(self.refunds)
        if moves and self.paid is None and not self.transactions:
            raise InvalidValue(
                "goods were edited out, brought back or exchanged without money, and the body has neither transactions"
                " nor current_total_price with total_outstanding, which would tell what was paid",
                place=self.order.place,
            )
        for count in range(len(moves), 0, -1):
            moved, flags = with_moves(self.drafts, moves[:count], self.order, self.money)
            taken = sum_paid(self.drafts, on_top=self.on_top) - sum_paid(moved, on_top=self.on_top)
            yield _Content(_said(flags), moved, (total - taken, total, *self._current()), flags)
        yield _Content("", self.drafts, (total,))
        if exchanged := exchanged_for_money(self.order, lambda: self.drafts, self.money):
            later = [draft for group in exchanged.values() for draft in group]
            kept = [draft for draft in self.drafts if draft not in later]
            yield _Content(_said((EXCHANGE,)), kept, (total - sum_paid(later, on_top=self.on_top),), (EXCHANGE,))
        if not self.refunds and (current := as_current(self.order, self.drafts, self.money)) is not None:
            yield _Content(_said((EDITED,)), current, self._current(), (EDITED,))

    def _current(self) -> tuple[Decimal, ...]:
        """The total after edits, as the record says it, before money was refunded."""
        if not self.money.has(self.order, "current_total_price"):
            return ()
        return (self.money.read(self.order, "current_total_price") + refunded_money(self.refunds, self.money),)

    def _tips(self, content: _Content) -> Iterator[_Content]:
        """The tip as a line, unless a line item is the tip already."""
        tip = self.money.read(self.order, "total_tip_received", ZERO)
        if not tip or any(draft.article.sku == "tip" for draft in content.drafts):
            yield content
            return
        tipped = [*content.drafts, adjustment("tip", tip)]
        yield _Content(content.said, tipped, content.totals, content.flags)
        said, flags = content.also("tip in a line", TIP_IN_LINE)
        yield _Content(said, content.drafts, content.totals, flags)
        said, flags = content.also("tip on top of the total", TIP_ON_TOP)
        yield _Content(said, tipped, tuple(total + tip for total in content.totals), flags)

    def _roundings(self, content: _Content) -> Iterator[_Content]:
        """The rounding of cash as a line, by the order, else by its transactions."""
        value = self.money.read(self.order, "total_cash_rounding_payment_adjustment", ZERO)
        if not value:
            value = sum((rounding(item, 1, self.money) for item, sign in self.payments if sign > 0), ZERO)
        if not value:
            yield content
            return
        totals = tuple(total + value for total in content.totals)
        yield _Content(content.said, [*content.drafts, adjustment("rounding", value)], totals, content.flags, value)
        said, flags = content.also("without rounding", ROUNDING_UNPAID)
        yield _Content(said, content.drafts, content.totals, flags)

    def _tenders(self, content: _Content, total: Decimal) -> Iterator[tuple[str, tuple[Tender, ...], tuple[str, ...]]]:
        """What was paid, by transactions, else by what the order says of it: each with a phrase and the flags."""
        if self.transactions:
            rounded = order_tenders(self.payments, self.money, self.more, rounded=True)
            yield content.said, rounded, content.flags
            plain = order_tenders(self.payments, self.money, self.more, rounded=False)
            if plain != rounded:
                said, flags = content.also("rounding inside the payment", ROUNDING_IN_TENDER)
                yield said, plain, flags
            return
        # An order of an older API does not say what was paid; its status says that it was.
        amount = total if self.paid is None else self.paid + content.rounding
        tenders, flags = tender_by_gateway(self.order, amount, self.more)
        yield content.said, tenders, (*content.flags, *flags)


def _said(flags: tuple[str, ...]) -> str:
    said = {EDITED: "without what was edited out", EXCHANGE: "with what was exchanged"}
    return " and ".join(said[flag] for flag in flags)

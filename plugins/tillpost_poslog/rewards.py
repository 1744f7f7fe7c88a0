"""Loyalty rewards and discounts on the whole transaction, given to the lines they reduce."""

from __future__ import annotations

from decimal import Decimal

from lxml.etree import _Element

from tillpost.kit import ZERO, round_money, spread_discount
from tillpost.kit.xml import attribute, children, decimal, is_true, text
from tillpost.model import Discount
from tillpost_poslog.line_items import PERCENT, DraftLine
from tillpost_poslog.names import find_decimal


def _is_money_off(reward: _Element) -> bool:
    """Whether the reward is money off, and not a repetition of other rewards.

    NCR writes each reward by line (detailedData) and once more summed (summarizedActivity alone). Rewards of the
    categories Other and CustomOffer are messages and points.
    """
    if attribute(reward, "summarizedActivity") and not is_true(reward, "detailedData"):
        return False
    return text(reward, "RewardCategory") in ("", "Monetary")


def apply_rewards(retail: _Element, drafts: list[DraftLine], currency: str) -> None:
    """Give every reward to its line; one that names no line, and every discount on the transaction, is spread.

    A reward is money off; a discount on the transaction may only be the sum of the price modifiers of its lines.

    Raises InvalidValue when there is a discount and no line to carry it.
    """
    by_reference = {reference: draft for draft in drafts for reference in draft.reward_references}
    whole: list[Discount] = []
    for entry in children(retail, "LineItem"):
        if is_true(entry, "VoidFlag"):
            continue
        for reward in children(entry, "LoyaltyReward"):
            value = decimal(reward, "ExtendedRewardAmount") if _is_money_off(reward) else None
            if not value:
                continue
            discount = Discount(
                type=text(reward, "RewardType") or "reward",
                value=value,
                description=f"promotion {text(reward, 'PromotionID')}".strip(),
            )
            line = by_reference.get(text(reward, "OperatorSequenceReference"))
            (whole if line is None else line.rewards).append(discount)
        for found in children(entry, "Discount"):
            value = decimal(found, "Amount")
            if value is None and (percent := find_decimal(found, PERCENT)):
                value = round_money(sum((net for _, net in _carrying(drafts)), ZERO) * percent / 100, currency)
            if value:
                reason = text(found, "ReasonCode") or text(found, "Description")
                whole.append(Discount(type="discount", value=-abs(value), description=reason))
    for discount in whole:
        _spread(discount, drafts, currency)


def _carrying(drafts: list[DraftLine]) -> list[tuple[DraftLine, Decimal]]:
    """The articles bought, each with what it adds."""
    nets = [(draft, draft.net(price_modifiers=False)) for draft in drafts if draft.is_article and draft.quantity > 0]
    return [(draft, net) for draft, net in nets if net > 0]


def _spread(discount: Discount, drafts: list[DraftLine], currency: str) -> None:
    carrying = _carrying(drafts)
    shares = spread_discount(discount, [net for _, net in carrying], currency, "receipt")
    for (draft, _), share in zip(carrying, shares, strict=True):
        if share.value:
            (draft.receipt_discounts if discount.type == "discount" else draft.rewards).append(share)

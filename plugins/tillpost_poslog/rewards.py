"""Loyalty rewards and discounts on the whole transaction, tied to the lines they reduce."""

from __future__ import annotations

from decimal import Decimal

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import spread
from tillpost.kit.xml import attribute, children, decimal, is_true, text
from tillpost.model import Discount
from tillpost_poslog.drafts import Draft


def _counts(reward: _Element) -> bool:
    """Whether the reward is money off, stated once.

    NCR writes each reward by line (detailedData) and once more summed (summarizedActivity alone): only the
    first counts. Rewards of category Other and CustomOffer are messages, and points that have a positive amount.
    """
    if attribute(reward, "summarizedActivity") and not is_true(reward, "detailedData"):
        return False
    return text(reward, "RewardCategory") in ("", "Monetary")


def apply_rewards(retail: _Element, drafts: list[Draft], currency: str) -> None:
    """Tie every reward to its line; one that names no line, and every discount on the transaction, is spread.

    A reward is money off; a discount on the transaction may only sum what the modifiers of its lines say already.

    Raises InvalidValue when there is a discount and no line to carry it.
    """
    by_reference = {reference: draft for draft in drafts for reference in draft.references}
    whole: list[Discount] = []
    for entry in children(retail, "LineItem"):
        if is_true(entry, "VoidFlag"):
            continue
        for reward in children(entry, "LoyaltyReward"):
            value = decimal(reward, "ExtendedRewardAmount") if _counts(reward) else None
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
            if value:
                reason = text(found, "ReasonCode") or text(found, "Description")
                whole.append(Discount(type="discount", value=-abs(value), description=reason))
    for discount in whole:
        _spread(discount, drafts, currency, may_repeat=discount.type == "discount")


def _spread(discount: Discount, drafts: list[Draft], currency: str, *, may_repeat: bool) -> None:
    carrying = [
        draft for draft in drafts if draft.article and draft.quantity > 0 and draft.net(modifiers_apart=False) > 0
    ]
    if not carrying:
        raise InvalidValue(f"no line can take the discount of {discount.value}", place="receipt")
    weights = [draft.net(modifiers_apart=False) for draft in carrying]
    for draft, share in zip(carrying, spread(discount.value, weights, currency), strict=True):
        if share != Decimal(0):
            carried = draft.shares if may_repeat else draft.rewards
            carried.append(Discount(type=discount.type, value=share, description=discount.description))
